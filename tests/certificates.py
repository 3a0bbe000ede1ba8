"""Certificates for tests of TLS, made with the command openssl."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl") or ""
needs_openssl = pytest.mark.skipif(not OPENSSL, reason="needs the command openssl")

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, in files of PEM form."""

    certificate: Path
    key: Path

    @property
    def both(self) -> Path:
        """The key and the certificate in one file."""
        path = self.certificate.with_suffix(".pem")
        path.write_text(self.key.read_text() + self.certificate.read_text())
        return path


class Authority:
    """A certificate authority with its files in a folder.

    Parameters
    ----------
    folder
        Made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.ca = folder / "ca.pem"
        to = ("-keyout", "ca.key", "-out", "ca.pem")
        self._run("req", "-x509", *_NEW_KEY, "-nodes", *to, "-days", "2", "-subj", "/CN=Test CA")

    def issue(self, name: str, hosts: str = "IP:127.0.0.1", password: str | None = None) -> Certificate:
        """Return a new certificate for hosts as OpenSSL's `subjectAltName`; a password encrypts its key."""
        protection = ("-nodes",) if password is None else ("-passout", f"pass:{password}")
        to = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._run("req", *_NEW_KEY, *protection, *to, "-subj", f"/CN={name}")
        (self._folder / f"{name}.ext").write_text(f"subjectAltName={hosts}\n")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        extensions = ("-extfile", f"{name}.ext")
        self._run("x509", "-req", "-in", f"{name}.csr", *signed, *extensions, "-out", f"{name}.crt")
        return Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")

    def _run(self, *arguments: str) -> None:
        subprocess.run([OPENSSL, *arguments], cwd=self._folder, check=True, capture_output=True, timeout=60)
