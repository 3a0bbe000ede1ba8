"""What trades are read from: a source yields chunks of trades, each with a cursor behind it.

A source does not know where its trades go. The producer keeps the cursor of what it has published and
passes it back after a restart; a backtest reads from the start and keeps none.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from services.sources.encode import Encoding, to_json

Cursor = int | str | list[Any] | dict[str, Any]
"""Where a source resumes: a value of JSON that only the source itself understands; a number is above 0."""


@dataclass(frozen=True)
class RejectedRow:
    """A row that is not a trade.

    Parameters
    ----------
    line
        Number of the row, like the trades' column `line`.
    raw
        The row's bytes, unchanged.
    reason
        Why the row is not a trade.
    """

    line: int
    raw: bytes
    reason: str


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of a source; no rows if none have arrived yet.

    Parameters
    ----------
    trades
        The valid rows in the source's order: the columns of `services.sources.columns`, optionally more.
    rejected
        The other rows, ordered by line.
    cursor
        Position to resume at after the chunk; None for the start.
    position
        How far the source has been read, in the units of `Source.size`.
    """

    trades: pl.DataFrame
    rejected: list[RejectedRow]
    cursor: Cursor | None
    position: int = 0


class Source(ABC):
    """Something to read trades from: a file, a range of an index, a stream.

    Attributes
    ----------
    name
        Name for display; a file's name without its folder.
    size
        The last chunk's final `position`; None if unknown.
    encoding
        How the trades are written as JSON.
    line_is_cursor
        Whether the cursor after a row is its `line`. Then a chunk may be published in parts, and paced by
        event time if requested; otherwise it is published as a whole, and must be small.
    in_time_order
        Whether the trades of different symbols are in the order of their times, as a replay at a speed needs.
    """

    name: str
    size: int | None = None
    encoding: Encoding
    line_is_cursor: bool = False
    in_time_order: bool = True

    @property
    @abstractmethod
    def identity(self) -> str:
        """What cursors belong to, as 64 hex digits (a SHA-256): the same again after a restart.

        A file is identified by its content, not its name; a stream by whatever names it.
        """

    @abstractmethod
    def chunks(self, after: Cursor | None = None) -> Iterator[Chunk]:
        """Read after a cursor, or from the start; each call starts a new read, and connects only then.

        It ends when no more trades will ever come. A source that has to wait for them yields what came within
        about a quarter of a second, or a chunk without rows, so that the reader can check for a stop and
        report that it is alive. Each chunk is committed before the next is asked for; where the cursor is the
        line, the next one may be read meanwhile.

        Raises
        ------
        TapewatchError
            The source cannot be read any more.
        """

    def to_json(self, trades: pl.DataFrame) -> list[bytes]:
        """Write trades of this source as the topic carries them, n rows into n messages."""
        return to_json(trades, self.encoding)
