"""The folder that is exported into: one export at a time, and marked until it is finished."""

import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType

from services.common.errors import TapewatchError
from services.sources.exported.layout import FILE_NAME, UNFINISHED, check_contents


class Target:
    """Entered while an export writes; only `finish` takes the mark away.

    Parameters
    ----------
    folder
        The folder; it is made if it is missing.
    flags
        What is exported, as the flags that choose it: a folder stays unfinished until each export that was
        begun in it has come to its end.

    Raises
    ------
    TapewatchError
        The folder holds something else, cannot be written, or another export writes into it (on entering).
    """

    def __init__(self, folder: Path, flags: str) -> None:
        self._folder = folder
        self._flags = flags
        self._marks = folder / UNFINISHED
        self._mark = self._marks / hashlib.sha256(flags.encode()).hexdigest()[:16]
        self._lock = -1
        self.unfinished = self._marks / FILE_NAME
        """What a partition is called until it is complete."""

    def __enter__(self) -> "Target":
        """Take the folder."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            check_contents(self._folder)
            self._lock = os.open(self._folder, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._marks.mkdir(exist_ok=True)
            self._mark.write_text(self._flags)
        except BlockingIOError as error:
            self._close()
            raise TapewatchError(
                f"Another export is writing into {self._folder}.", "Wait for it, or choose another folder."
            ) from error
        except FileExistsError as error:
            raise TapewatchError(f"{self._folder} is a file.", "Name a folder.") from error
        except OSError as error:
            self._close()
            raise TapewatchError(
                f"{self._folder} cannot be written: {error.strerror}.",
                "Check the disk's space and the folder's permissions.",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the folder."""
        self.unfinished.unlink(missing_ok=True)
        self._close()

    def finish(self) -> None:
        """Take the mark of this export away."""
        self.unfinished.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)
        if not any(self._marks.iterdir()):
            self._marks.rmdir()

    def _close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
