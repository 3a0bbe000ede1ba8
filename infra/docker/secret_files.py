"""Files of secrets, made at the stack's first start in volumes of the containers that need them."""

import sys
from collections.abc import Mapping
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


def show(name: str, files: Mapping[str, Path]) -> int:
    """Print what the file of this name holds; return the exit code."""
    if name not in files:
        print(f"There is nothing called {name!r}, only {', '.join(files)}.", file=sys.stderr)
        return 1
    print(files[name].read_text().rstrip())
    return 0
