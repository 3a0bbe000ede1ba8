"""Creates the stack's passwords at its first start, in volumes of the containers that need them."""

import secrets
import shutil
from pathlib import Path

ROOT = Path("/run/tapewatch")
ALL = ROOT / "passwords"
USERS = ("elastic", "kibana_system", "tapewatch-indexer", "tapewatch-dashboard", "tapewatch-reader")
HANDED_OUT = {"indexer": "tapewatch-indexer", "dashboard": "tapewatch-dashboard"}
"""For each service's volume, the only user whose password the service can read."""

KIBANA_KEYS = ("security", "encryptedSavedObjects", "reporting")
"""Kibana features with an encryption key; without fixed keys a restart ends all sessions."""


def main() -> None:
    """Create the files that do not exist yet; keep existing ones."""
    for user in USERS:
        _write_once(ALL / f"{user}.password", secrets.token_urlsafe(24))
    for volume, user in HANDED_OUT.items():
        shutil.copy(ALL / f"{user}.password", ROOT / volume / "password")
    _write_once(ROOT / "kibana" / "kibana.yml", _kibana_settings())


def _kibana_settings() -> str:
    # Not as environment variables: Kibana's image turns them into flags, which `ps` shows to every user.
    password = (ALL / "kibana_system.password").read_text()
    keys = "".join(f"xpack.{name}.encryptionKey: {secrets.token_hex(32)}\n" for name in KIBANA_KEYS)
    return f"elasticsearch.username: kibana_system\nelasticsearch.password: '{password}'\n{keys}"


def _write_once(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable only by its owner, unless it exists."""
    if path.exists():
        return
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    part.rename(path)


if __name__ == "__main__":
    main()
