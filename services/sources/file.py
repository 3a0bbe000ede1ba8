"""A file of trades: known by its content, resumed behind a line."""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import polars as pl

from services.common.errors import TapewatchError
from services.sources.base import Chunk, Cursor, RejectedRow, Source
from services.sources.compression import BrokenFileError, read_pieces


class Rows(NamedTuple):
    """Some consecutive rows of a file.

    Parameters
    ----------
    trades, rejected
        As in `Chunk`; `line` is the line in the file, its first one being 1, or in a binary file the number
        of the record.
    position_bytes
        How far into the file (as stored) they reach.
    """

    trades: pl.DataFrame
    rejected: list[RejectedRow]
    position_bytes: int


class FileSource(Source):
    """A file of one kind; a kind implements `rows` and sets `encoding`.

    Parameters
    ----------
    path
        The file.
    """

    line_is_cursor = True
    takes: tuple[str, ...] = ()
    """Which of `FileOptions` its constructor takes by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.size: int = path.stat().st_size

    @abstractmethod
    def rows(self) -> Iterator[Rows]:
        """Read the file from its start."""

    @cached_property
    def identity(self) -> str:
        """See `Source.identity`: decompressed, so a file and its compressed copy are one."""
        with _reading(self.path):
            return content_hash(self.path)

    def chunks(self, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `Source.chunks`; the cursor is the last line that has been processed."""
        done = line = after if isinstance(after, int) else 0
        with _reading(self.path):
            for trades, rejected, position_bytes in self.rows():
                if done:  # what comes before is read again, as ids may count it
                    trades = trades.filter(pl.col("line") > done)
                    rejected = [row for row in rejected if row.line > done]
                line = max([line, *trades["line"][-1:], *(row.line for row in rejected[-1:])])
                yield Chunk(trades, rejected, line or None, position_bytes)


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's decompressed content, in hex.

    For a damaged compressed file, it is the hash of what can be read and of the error.
    """
    digest = hashlib.sha256()
    try:
        for piece, _ in read_pieces(path):
            digest.update(piece)
    except BrokenFileError as error:
        digest.update(str(error).encode())
    return digest.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TapewatchError(
            f"{path} cannot be read any more: {error.strerror}.",
            "Check the disk; the next run resumes after the last commit.",
        ) from error
