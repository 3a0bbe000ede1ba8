"""The folder that holds a stack's data: locked by one stack at a time, removed afterwards if temporary."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

from services.common.errors import TapewatchError

_LOCK_NAME = "stack.lock"
_TEMPORARY_PREFIX = "tapewatch-stack-"
_ABANDONED_AFTER_S = 60


class DataDir:
    """A data folder that this process alone uses until `close`.

    Parameters
    ----------
    path
        The folder, created if it does not exist; None for a temporary one, which `close` removes.
    prefix
        How names of temporary folders begin; those that were abandoned are removed by the next one.

    Raises
    ------
    TapewatchError
        If another stack uses the folder, or it cannot be created or written to.
    """

    def __init__(self, path: Path | None, prefix: str = _TEMPORARY_PREFIX) -> None:
        self._is_temporary = path is None
        if path is None:
            _remove_abandoned(prefix)
            path = Path(tempfile.mkdtemp(prefix=prefix))
        self.path = path.absolute()
        if "," in str(self.path):
            raise TapewatchError(
                f"The data folder {self.path} has a comma in its name; Kafka would read it as two folders.",
                "Choose another folder with --data-dir.",
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = _open_lock(self.path)
        except OSError as error:
            raise TapewatchError(
                f"The data folder {self.path} cannot be used: {error.strerror}.",
                "Make it writable, or choose another folder with --data-dir.",
            ) from error
        if not _try_lock(self._lock):
            owner = self._lock.read().strip()
            self._lock.close()
            raise TapewatchError(
                f"Another stack (process {owner}) is using the data folder {self.path}.",
                "Stop it first, or choose another folder with --data-dir.",
            )
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    def keep_for_now(self) -> None:
        """Keep a temporary folder after `close` so that its logs can be read; the next stack removes it."""
        self._is_temporary = False

    def close(self) -> None:
        """Release the folder; remove it if it was temporary."""
        if self._is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _open_lock(folder: Path) -> IO[str]:
    return (folder / _LOCK_NAME).open("a+")


def _try_lock(file: IO[str]) -> bool:
    """Try to lock a file; the kernel releases the lock when the process ends, however it ends."""
    file.seek(0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_abandoned(prefix: str) -> None:
    """Remove the temporary folders of killed stacks, whose locks are free."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        lock_file = folder / _LOCK_NAME
        # Folders of other users, and those another process is just creating, must be left alone.
        with contextlib.suppress(OSError):
            if time.time() - lock_file.stat().st_mtime > _ABANDONED_AFTER_S:
                with _open_lock(folder) as lock:
                    if _try_lock(lock):
                        shutil.rmtree(folder, ignore_errors=True)
