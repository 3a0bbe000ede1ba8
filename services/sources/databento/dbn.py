"""Databento's trades as DBN, plain or zstd, decoded by Databento's own library."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from databento import BentoError, DBNStore
from databento.common.error import BentoWarning
from databento.common.symbology import InstrumentMap
from databento_dbn import DBNError

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.columns import SIDES
from services.sources.compression import BrokenFileError, read_pieces
from services.sources.databento.schema import (
    ENCODING,
    OPTIONAL,
    REQUIRED,
    UNDEFINED_PRICE,
    UNDEFINED_SIZE,
    UNDEFINED_TIME,
)
from services.sources.databento.trade_ids import TradeIds
from services.sources.file import FileSource, Rows

CHUNK_RECORDS = 1 << 16
RECORD_BYTES = 48
"""A trade in every version of DBN."""
COLUMNS = {"line": pl.Int64, **REQUIRED, **OPTIONAL}


class DatabentoDbn(FileSource):
    """One DBN file of trades.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    TapewatchError
        The file is not of the schema trades, its metadata cannot be read, or it maps no symbols.
    """

    encoding = ENCODING

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._store = DBNStore.from_file(path)
        except (BentoError, DBNError, ValueError, EOFError) as error:
            raise TapewatchError(
                f"{path} cannot be read as DBN: {error}.", "Fetch the file again, or give another."
            ) from error
        if str(self._store.schema) != "trades":
            raise TapewatchError(
                f"{path} is not a file of trades: its schema is {self._store.schema or 'mixed'}.",
                "Give a file of Databento's schema 'trades'.",
            )
        self._symbols = InstrumentMap()
        self._symbols.insert_metadata(self._store.metadata)

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`."""
        ids = TradeIds()
        records_total, broken = _survey(self.path)
        first_record = 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BentoWarning)  # a cut file is reported below, with its place
            for records in self._store.to_ndarray(count=CHUNK_RECORDS):
                trades, rejected = self._parse(records, first_record)
                first_record += len(records)
                # The decoder does not tell where it is in the stored file.
                share = min((first_record - 1) / max(records_total, 1), 1.0)
                trades = trades.with_columns(trade_id=ids.name(trades))
                yield Rows(trades, rejected, int(self.size * share))
        if broken:
            none = pl.DataFrame(schema=COLUMNS | {"trade_id": pl.String})
            yield Rows(none, [RejectedRow(first_record, broken[0], broken[1])], self.size)

    def _parse(self, records: np.ndarray, first_record: int) -> tuple[pl.DataFrame, list[RejectedRow]]:
        """Convert records, shape (n,), into trades."""
        days = records["ts_event"].view("datetime64[ns]").astype("datetime64[D]")
        symbols = self._symbols.resolve_many(records["instrument_id"].astype(np.uint64), days)
        unknown = np.equal(symbols, None)  # type: ignore[call-overload] # numpy compares objects with None too
        undefined_time = np.uint64(UNDEFINED_TIME)
        faults = {
            "ts_event is undefined": records["ts_event"] == undefined_time,
            "ts_recv is undefined": records["ts_recv"] == undefined_time,
            "price is undefined": records["price"] == UNDEFINED_PRICE,
            "size is undefined": records["size"] == UNDEFINED_SIZE,
            "side is not one of A, B, N": ~np.isin(records["side"], [side.encode() for side in SIDES]),
            "the file names no symbol for its instrument_id on that day": unknown,
        }
        is_bad = np.any(list(faults.values()), axis=0)
        rejected = [
            RejectedRow(
                first_record + int(at),
                records[at].tobytes(),
                next(fault for fault, where in faults.items() if where[at]),
            )
            for at in np.flatnonzero(is_bad)
        ]
        good = records[~is_bad]
        columns = {"line": np.arange(first_record, first_record + len(records))[~is_bad]}
        for name, kind in (REQUIRED | OPTIONAL).items():
            if name == "symbol":
                columns[name] = symbols[~is_bad].tolist()
            elif kind == pl.String:
                columns[name] = good[name].astype("U1")
            else:
                columns[name] = good[name].astype(np.int64)
        return pl.DataFrame(columns, schema=COLUMNS), rejected


def _survey(path: Path) -> tuple[int, tuple[bytes, str] | None]:
    """Return how many whole records a file has, and how it breaks off.

    The latter is the bytes of an incomplete last record and the reason, or None for a file that is whole.
    """
    length_bytes = 0
    head = tail = b""
    reason = None
    try:
        for piece, _ in read_pieces(path):
            length_bytes += len(piece)
            head = (head + piece)[:8]
            tail = (tail + piece)[-RECORD_BYTES:]
    except BrokenFileError as error:
        reason = str(error)
    # DBN begins with 4 bytes of magic and version, then the length of the metadata that follows.
    records_bytes = max(length_bytes - 8 - int.from_bytes(head[4:], "little"), 0)
    loose_bytes = records_bytes % RECORD_BYTES
    if loose_bytes:
        reason = reason or "the file is truncated: it ends in the middle of a record"
    return records_bytes // RECORD_BYTES, (tail[len(tail) - loose_bytes :], reason) if reason else None
