"""Exported trades, read back as the trades that they were."""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources.exported.columns import ENCODING, SCHEMA, to_messages
from services.sources.exported.layout import partitions
from services.sources.file import FileSource, Rows, content_hash
from services.sources.parquet import parquet_schema, read_batches


class Exported(FileSource):
    """A day's trades, one symbol after the other, or one symbol's.

    Parameters
    ----------
    path
        The day's folder, or one file in it.

    Raises
    ------
    TapewatchError
        A file cannot be read, or the folder holds something else.
    """

    in_time_order = False
    encoding = ENCODING

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._files = [file for _, file in partitions(path)] if path.is_dir() else [path]
        self.size = sum(file.stat().st_size for file in self._files)

    @cached_property
    def identity(self) -> str:
        """See `Source.identity`: of one file its content, of a day the contents of its files."""
        if self._files == [self.path]:
            return content_hash(self.path)
        return hashlib.sha256(b"".join(content_hash(file).encode() for file in self._files)).hexdigest()

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`; `line` numbers the trades of all files, from 1."""
        line = read_bytes = 0
        for file in self._files:
            check_columns(file)
            done = line
            for trades, share in read_batches(file, list(SCHEMA)):
                numbered = trades.with_columns(pl.col("line") + done, pl.col("ts_event").dt.epoch("ns"))
                line += len(trades)
                yield Rows(numbered, [], read_bytes + int(file.stat().st_size * share))
            read_bytes += file.stat().st_size

    def to_json(self, trades: pl.DataFrame) -> list[bytes]:
        """Return the messages that the trades came in."""
        return to_messages(trades)


def check_columns(file: Path) -> None:
    """Check that a file has the columns of exported trades.

    Raises
    ------
    TapewatchError
        It has others.
    """
    if not is_exported(parquet_schema(file)):
        raise TapewatchError(
            f"{file} does not have the columns of exported trades.",
            "Delete the file, and run `tapewatch export` again.",
        )


def is_exported(schema: dict[str, pl.DataType]) -> bool:
    """Tell whether these are the columns of exported trades, perhaps with more."""
    return all(schema.get(name) == kind for name, kind in SCHEMA.items())
