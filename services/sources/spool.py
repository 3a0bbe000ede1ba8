"""Standard input and pipes: kept in a temporary file, as trades are read from their start more than once."""

import atexit
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from services.common.errors import TapewatchError

STDIN = "-"


def is_pipe(name: str) -> bool:
    """Tell whether a name is `-`, a named pipe, or what a shell puts for `<(command)`."""
    try:
        return name == STDIN or stat.S_ISFIFO(Path(name).expanduser().stat().st_mode)
    except OSError:
        return False


def spool(name: str) -> Path:
    """Copy a pipe into a temporary file, which is removed when the program ends.

    Raises
    ------
    TapewatchError
        Standard input is a terminal, or there is no room for the copy.
    """
    if name == STDIN and sys.stdin.isatty():
        raise TapewatchError(
            "Standard input is a terminal, not trades.",
            "Pipe a file into it, such as: zcat FILE | tapewatch …",
        )
    folder = Path(tempfile.mkdtemp(prefix="tapewatch-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / ("stdin" if name == STDIN else Path(name).name)
    try:
        with copy.open("wb") as target:
            if name == STDIN:
                shutil.copyfileobj(sys.stdin.buffer, target)
            else:
                with Path(name).expanduser().open("rb") as source:
                    shutil.copyfileobj(source, target)
    except OSError as error:
        raise TapewatchError(
            f"{name} cannot be copied to {folder}: {error.strerror}.",
            "Make room there, or set TMPDIR to a folder with more.",
        ) from error
    return copy


def refuse_pipes(names: list[str]) -> None:
    """Refuse pipes where a restart has to find the same content again.

    Raises
    ------
    TapewatchError
        One of the names is a pipe.
    """
    for name in names:
        if is_pipe(name):
            raise TapewatchError(
                f"{name} is a pipe, and its trades cannot be published: a restart resumes by the content of a"
                " file, which it has to find again.",
                "Write it to a file, and give that; compressed files need not be unpacked.",
            )
