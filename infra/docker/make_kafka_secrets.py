"""Creates the broker's certificate and the passwords of Kafka's users at the first start, in volumes.

`docker compose run --rm kafka-secrets NAME` shows a user's password, or the certificates to trust: `ca.crt`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.docker.secret_files import ROOT, hand_out, let_others_read, make_passwords, show, write_once

ADMIN = "tapewatch-admin"
USERS = (
    ADMIN,
    "tapewatch-producer",
    "tapewatch-feed",
    "tapewatch-detector",
    "tapewatch-alerter",
    "tapewatch-indexer",
    "tapewatch-reader",
    "tapewatch-operator",
)
ALL = "kafka-passwords"
BROKER = "kafka-broker"
HANDED_OUT = {
    ALL: ADMIN,
    BROKER: ADMIN,
    "kafka-producer": "tapewatch-producer",
    "kafka-feed": "tapewatch-feed",
    "kafka-detector": "tapewatch-detector",
    "kafka-alerter": "tapewatch-alerter",
    "kafka-indexer": "tapewatch-indexer",
    "kafka-reader": "tapewatch-reader",
}
"""For each volume, whose password is in its file `password`; `setup` has the one with all."""

READ_BY_OTHERS = (BROKER, "kafka-reader")
"""Volumes of Redpanda and Console, whose images have users of their own."""

CA = "ca.crt"
DAYS = "3650"
CONFIGURATION = """\
[req]
distinguished_name = names
[names]
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[broker]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:redpanda, DNS:localhost, IP:127.0.0.1
authorityKeyIdentifier = keyid
"""
"""OpenSSL's; the broker's names are those that the services and this machine reach it by."""


def main(root: Path = ROOT) -> None:
    """Create the files that do not exist yet; keep existing ones."""
    make_passwords(root / ALL, USERS)
    if not (root / ALL / CA).exists():
        _make_certificates(root)
    hand_out(root / ALL, root, HANDED_OUT)
    for volume in HANDED_OUT:
        if volume != ALL:
            shutil.copy(root / ALL / CA, root / volume / CA)
    let_others_read(root, READ_BY_OTHERS)


def _make_certificates(root: Path) -> None:
    """Make the broker's key and certificate, and the one to trust, last; what signed them is not kept."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "openssl.cnf").write_text(CONFIGURATION)
        _issue(folder, "ca", "Tapewatch CA")
        _issue(folder, "broker", "redpanda", "-CA", CA, "-CAkey", "ca.key")
        for made in ("broker.key", "broker.crt"):
            shutil.copy(folder / made, root / BROKER / made)
        write_once(root / ALL / CA, (folder / CA).read_text())


def _issue(folder: Path, name: str, subject: str, *signed_by: str) -> None:
    command = ["openssl", "req", "-x509", "-config", "openssl.cnf", "-extensions", name, *signed_by]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", DAYS]
    command += ["-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.crt"]
    subprocess.run(command, cwd=folder, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
    if len(sys.argv) > 1:
        kept = {user: ROOT / ALL / f"{user}.password" for user in USERS} | {CA: ROOT / ALL / CA}
        sys.exit(show(sys.argv[1], kept))
