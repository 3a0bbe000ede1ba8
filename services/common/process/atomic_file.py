"""Files that are written completely or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.errors import TapewatchError


@contextmanager
def replaced_when_done(path: Path) -> Iterator[Path]:
    """Give a file to write in place of another; it takes its name only if nothing fails or interrupts.

    A link stays one: the file that it leads to is replaced. A path that is not a regular file
    (`/dev/null`, a terminal, a named pipe) cannot be replaced, so it is written in place.

    Raises
    ------
    TapewatchError
        The file cannot be written; nothing is left behind then.
    """
    if path.is_dir():
        raise TapewatchError(f"{path} is a folder.", "Name a file in it instead.")
    is_written_in_place = path.exists() and not path.is_file()
    target = path.resolve() if path.is_symlink() and not is_written_in_place else path
    if not target.parent.is_dir():
        raise TapewatchError(
            f"{path} cannot be written: the folder {target.parent} does not exist.",
            f"Create it: mkdir -p {target.parent}",
        )
    unfinished = target if is_written_in_place else target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield unfinished
        if not is_written_in_place:
            unfinished.replace(target)
    except OSError as error:
        if error.filename not in (None, str(unfinished)):  # None: writing itself failed, as on a full disk
            raise
        raise TapewatchError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Check the disk's space and the folder's permissions.",
        ) from error
    finally:
        if not is_written_in_place:
            unfinished.unlink(missing_ok=True)
