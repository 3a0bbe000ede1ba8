"""What a source yields: columns of good trades, and the rows that are not trades with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

REQUIRED = {
    "ts_event": pl.Int64,  # ns since 1970, UTC
    "publisher_id": pl.Int64,
    "instrument_id": pl.Int64,
    "sequence": pl.Int64,
    "symbol": pl.String,
    "price": pl.Int64,  # units of 1e-9
    "size": pl.Int64,  # shares or contracts
    "side": pl.String,  # the aggressor's: A sell, B buy, N none
}
"""Columns that every trade has."""

OPTIONAL = {
    "ts_recv": pl.Int64,
    "rtype": pl.Int64,
    "action": pl.String,
    "depth": pl.Int64,
    "flags": pl.Int64,
    "ts_in_delta": pl.Int64,  # ns
}
"""Columns of Databento's trades schema that a source may lack."""

TIMES = ("ts_event", "ts_recv")
PRICE_SCALE = 1_000_000_000
"""A price of 1.0 as an integer."""

UNDEFINED_PRICE = 2**63 - 1
UNDEFINED_TIME = 2**64 - 1
UNDEFINED_SIZE = 2**32 - 1
SIDES = ("A", "B", "N")


@dataclass(frozen=True)
class BadRow:
    """A row that is not a trade.

    Parameters
    ----------
    file
        Name of the file, without its folder.
    line
        Line in the file, the header being line 1; in a binary file the number of the record, from 1.
    raw
        The row's bytes as they stand in the file.
    error
        What is wrong with it, for a person.
    """

    file: str
    line: int
    raw: bytes
    error: str


@dataclass(frozen=True)
class Chunk:
    """Some consecutive rows of a file.

    Parameters
    ----------
    trades
        The good rows in the file's order: `line` (Int64), the `REQUIRED` columns, and those of `OPTIONAL`
        that the source has. No nulls.
    bad_rows
        The others.
    position_bytes
        How far into the file (as stored) the chunk reaches.
    """

    trades: pl.DataFrame
    bad_rows: list[BadRow]
    position_bytes: int


class Source(Protocol):
    """A file of trades, opened and found to be one."""

    path: Path

    def chunks(self) -> Iterator[Chunk]:
        """Read the file from its start; each call reads it anew."""
        ...
