"""The labels of a running stream: a file that grows with it, and never has a label that was not published.

Rows are on disk before their trades are committed, and the stream's cursor says how long the file is then. So
after a kill the file may be longer than what is published; the next run cuts it to the cursor's length.
"""

import fcntl
import io
import os
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources.synthetic.day import LABEL_COLUMNS, TIME_FORMAT, readable

_HEADER = (",".join(LABEL_COLUMNS) + "\n").encode()


class LabelFile:
    """A file of labels, in the format of `write_day`; it is this process's alone while it is open.

    Parameters
    ----------
    path
        The file; made if it is not there.

    Raises
    ------
    TapewatchError
        It cannot be written, or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        if path.suffix != ".csv":
            raise TapewatchError(
                f"The file of --labels, {path}, does not end in .csv.",
                "Name it ….csv: the labels of a running stream are not compressed.",
            )
        try:
            self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
        except OSError as error:
            raise TapewatchError(
                f"{path} cannot be written: {error.strerror}.", "Name another file with --labels."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise TapewatchError(
                f"Another process writes {path}.", "End it, or name another file with --labels."
            ) from error

    def begin(self, published_bytes: int | None) -> int:
        """Cut what was never published, and return how long the file is.

        Parameters
        ----------
        published_bytes
            How long it was at the last commit; None if none was made with this file, which must be new then.

        Raises
        ------
        TapewatchError
            It has labels of another stream, or has lost some.
        """
        length = self._file.seek(0, os.SEEK_END)
        if published_bytes is None:
            self._file.seek(0)
            if self._file.read(len(_HEADER) + 1) not in (b"", _HEADER):
                raise TapewatchError(
                    f"{self.path} has labels already, and they are not those of this stream.",
                    "Name another file with --labels, or remove it.",
                )
            self._file.seek(0)
            return self._append(_HEADER)
        if length < published_bytes:
            raise TapewatchError(
                f"{self.path} has lost labels: it has {length:,} bytes, and had {published_bytes:,}.",
                "Put it back, or name another file with --labels, and the stream continues with that.",
            )
        self._file.truncate(published_bytes)
        self._file.seek(published_bytes)
        return published_bytes

    def append(self, labels: pl.DataFrame) -> int:
        """Append labels, as `generate_day` returns them, and return how long the file is.

        Raises
        ------
        TapewatchError
            The disk is full or gone.
        """
        text = io.BytesIO()
        readable(labels).write_csv(text, include_header=False, datetime_format=TIME_FORMAT, float_precision=9)
        return self._append(text.getvalue())

    def _append(self, text: bytes) -> int:
        try:
            self._file.write(text)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise TapewatchError(
                f"{self.path} cannot be written: {error.strerror}.", "Check the disk's space."
            ) from error
        return self._file.tell()

    def close(self) -> None:
        """Close the file, for another process to write it."""
        self._file.close()
