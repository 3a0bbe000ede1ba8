"""Creates the stack's passwords at its first start, in volumes of the containers that need them.

`docker compose run --rm passwords USER` shows one.
"""

import secrets
import sys

from infra.docker.secret_files import ROOT, hand_out, make_passwords, show, write_once

ALL = ROOT / "passwords"
USERS = (
    "elastic",
    "kibana_system",
    "tapewatch-dashboard",
    "tapewatch-indexer",
    "tapewatch-kibana-setup",
    "tapewatch-reader",
)
HANDED_OUT = {
    "elastic": "elastic",
    "indexer": "tapewatch-indexer",
    "dashboard": "tapewatch-dashboard",
    "kibana-setup": "tapewatch-kibana-setup",
}
"""For each service's volume, the only user whose password the service can read."""

KIBANA_KEYS = ("security", "encryptedSavedObjects", "reporting")
"""Kibana features with an encryption key; without fixed keys a restart ends all sessions."""


def main() -> None:
    """Create the files that do not exist yet; keep existing ones."""
    make_passwords(ALL, USERS)
    hand_out(ALL, ROOT, HANDED_OUT)
    write_once(ROOT / "kibana" / "kibana.yml", _kibana_settings())


def _kibana_settings() -> str:
    # Not as environment variables: Kibana's image turns them into flags, which `ps` shows to every user.
    password = (ALL / "kibana_system.password").read_text()
    keys = "".join(f"xpack.{name}.encryptionKey: {secrets.token_hex(32)}\n" for name in KIBANA_KEYS)
    return f"elasticsearch.username: kibana_system\nelasticsearch.password: '{password}'\n{keys}"


if __name__ == "__main__":
    main()
    if len(sys.argv) > 1:
        sys.exit(show(sys.argv[1], {user: ALL / f"{user}.password" for user in USERS}))
