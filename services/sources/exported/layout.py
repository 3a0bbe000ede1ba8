"""Where exported trades lie in a folder: `day=2026-03-02/symbol=NVDA/trades.parquet`, as Hive names them."""

import datetime as dt
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from services.common.errors import TapewatchError

FILE_NAME = "trades.parquet"
UNFINISHED = ".unfinished"
"""The folder in which a partition is written, which is there until everything is exported."""

MOST_NAME_BYTES = 255
"""Of one folder, on every usual file system."""

DAY = re.compile(r"day=(\d{4}-\d\d-\d\d)")
SYMBOL = re.compile(r"symbol=(.+)", re.DOTALL)

_ESCAPED = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]")
"""What Hive writes as `%` and two hex digits."""
_NULL = "__HIVE_DEFAULT_PARTITION__"
"""What readers take for no symbol at all."""


def escaped(symbol: str) -> str:
    """Write a symbol as Hive writes it into the name of a folder; `urllib.parse.unquote` reads it back."""
    if symbol == _NULL:
        return f"%5F{symbol[1:]}"
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", symbol)


def partition_path(folder: Path, day: dt.date, symbol: str) -> Path:
    """Return the file of a symbol's day (UTC).

    Raises
    ------
    TapewatchError
        The symbol is too long for the name of a folder.
    """
    name = f"symbol={escaped(symbol)}"
    if len(name.encode()) > MOST_NAME_BYTES:
        raise TapewatchError(
            f"The symbol {symbol[:40]}… is too long for the name of a folder: {name[:40]}… has "
            f"{len(name.encode())} bytes, and {MOST_NAME_BYTES} are possible.",
            "Name the other symbols with --symbols.",
        )
    return folder / f"day={day}" / name / FILE_NAME


def is_export(folder: Path) -> bool:
    """Tell whether a folder holds exported trades, finished or not."""
    return any(DAY.fullmatch(path.name) or path.name == UNFINISHED for path in folder.iterdir())


def day_folders(folder: Path) -> list[Path]:
    """Return the folders of the days, the earliest first.

    Raises
    ------
    TapewatchError
        The export is not finished, or the folder holds something else.
    """
    if (folder / UNFINISHED).exists():
        flags = next((f" {mark.read_text()}" for mark in (folder / UNFINISHED).glob("[!t]*")), "").rstrip()
        raise TapewatchError(
            f"The export in {folder} is not finished.",
            f"Finish it: tapewatch export --parquet {shlex.quote(str(folder))}{flags}",
        )
    check_contents(folder)
    return sorted(folder.iterdir())


def check_contents(folder: Path) -> None:
    """Check that a folder holds nothing but days of exported trades.

    Raises
    ------
    TapewatchError
        It holds something else.
    """
    for path in folder.iterdir():
        if path.name != UNFINISHED and not (DAY.fullmatch(path.name) and path.is_dir()):
            raise TapewatchError(
                f"{folder} holds something else than exported trades: {path.name}.",
                "Choose another folder; one that does not exist yet is created.",
            )


def partitions(day_folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the symbols of a day and their files, in the order of the folders' names.

    Raises
    ------
    TapewatchError
        The folder holds something else.
    """
    for path in sorted(day_folder.iterdir()):
        found = SYMBOL.fullmatch(path.name)
        if found and path.is_dir() and not any(path.iterdir()):
            continue  # its export was ended here, and then another one asked for
        if found is None or not (path / FILE_NAME).is_file():
            raise TapewatchError(
                f"{day_folder} holds something else than exported trades: {path.name}.",
                "Move it away, or export into another folder.",
            )
        yield unquote(found[1]), path / FILE_NAME
