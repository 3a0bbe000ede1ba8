"""Files of secrets, made at the stack's first start in volumes of the containers that need them."""

import secrets
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path("/run/tapewatch")
"""Has a folder for each volume."""


def write_once(path: Path, text: str) -> None:
    """Write a file whole or not at all, readable only by its owner, unless it exists."""
    if path.exists():
        return
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text)
    part.rename(path)


def make_passwords(folder: Path, users: Iterable[str]) -> None:
    """Make a password for each user that has none yet, in `USER.password`."""
    for user in users:
        write_once(folder / f"{user}.password", secrets.token_urlsafe(24))


def hand_out(folder: Path, root: Path, users: Mapping[str, str]) -> None:
    """Copy a user's password from the folder of all into `password` of a volume, for each volume."""
    for volume, user in users.items():
        shutil.copy(folder / f"{user}.password", root / volume / "password")


def let_others_read(root: Path, volumes: Iterable[str]) -> None:
    """Let every user read what is in some volumes: that of their only container is one of its image's own."""
    for volume in volumes:
        for path in (root / volume).iterdir():
            path.chmod(0o644)


def show(name: str, files: Mapping[str, Path]) -> int:
    """Print what the file of this name holds; return the exit code."""
    if name not in files:
        print(f"There is nothing called {name!r}, only {', '.join(files)}.", file=sys.stderr)
        return 1
    print(files[name].read_text().rstrip())
    return 0
