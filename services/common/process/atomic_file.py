"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.common.errors import TapewatchError


@contextmanager
def replaced_when_done(path: Path) -> Iterator[Path]:
    """Give a file to write in place of another; it takes its name only if nothing fails or interrupts.

    Raises
    ------
    TapewatchError
        The file cannot be written; nothing is left behind then.
    """
    if path.is_dir():
        raise TapewatchError(f"{path} is a folder.", "Name a file in it instead.")
    if not path.parent.is_dir():
        raise TapewatchError(
            f"{path} cannot be written: the folder {path.parent} does not exist.",
            f"Create it: mkdir -p {path.parent}",
        )
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        if error.filename not in (None, str(unfinished)):  # None: writing itself failed, as on a full disk
            raise
        raise TapewatchError(
            f"{path} cannot be written: {error.strerror or error}.",
            "Check the disk's space and the folder's permissions.",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
