"""Makes the stack's passwords at its first start: each once, in a volume, for the containers that need it."""

import secrets
import shutil
from pathlib import Path

ROOT = Path("/run/tapewatch")
ALL = ROOT / "passwords"
USERS = ("elastic", "kibana_system", "tapewatch-indexer", "tapewatch-dashboard", "tapewatch-reader")
HANDED_OUT = {"indexer": "tapewatch-indexer", "dashboard": "tapewatch-dashboard"}
"""By the volume of a service: the only user whose password it sees."""

KIBANA_KEYS = ("security", "encryptedSavedObjects", "reporting")
"""What Kibana encrypts; without fixed keys a restart ends all sessions."""


def main() -> None:
    """Make what is not there yet; what is there stays."""
    for user in USERS:
        _write_once(ALL / f"{user}.password", secrets.token_urlsafe(24))
    for volume, user in HANDED_OUT.items():
        shutil.copy(ALL / f"{user}.password", ROOT / volume / "password")
    _write_once(ROOT / "kibana" / "kibana.yml", _kibana_settings())


def _kibana_settings() -> str:
    # A variable would do for Kibana too, but its image makes flags of them, which every user's `ps` shows.
    password = (ALL / "kibana_system.password").read_text()
    keys = "".join(f"xpack.{name}.encryptionKey: {secrets.token_hex(32)}\n" for name in KIBANA_KEYS)
    return f"elasticsearch.username: kibana_system\nelasticsearch.password: '{password}'\n{keys}"


def _write_once(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    if path.exists():
        return
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    part.rename(path)


if __name__ == "__main__":
    main()
