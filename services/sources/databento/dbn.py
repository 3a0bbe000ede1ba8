"""Databento's trades as DBN: files of trades, tbbo, mbp-1 and mbp-10, recorded live streams, and fragments.

A record says its own length and kind, so records of other kinds are passed over, and those with a time of
sending (`ts_out`) behind them are read like the others. A record of the book that is a trade has the fields
of a trade first.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from databento_dbn import DBNError, Metadata, RType

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.columns import SIDES
from services.sources.compression import BrokenFileError, read_pieces
from services.sources.databento.instruments import Instruments, told_symbol
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

CHUNK_BYTES = 3 << 20
"""About 65,000 trades."""
COLUMNS = {"line": pl.Int64, **REQUIRED, **OPTIONAL}
MAPPED = {"line": pl.Int64, "instrument_id": pl.Int64, "mapped": pl.String}
SCHEMAS = ("trades", "tbbo", "mbp-1", "mbp-10")
TRADE_KINDS = (int(RType.MBP_0), int(RType.MBP_1), int(RType.MBP_10))
"""The schemas trades, tbbo and mbp-1, and mbp-10; a trade that stands in several of them is one trade."""
SYMBOL_MAPPING = int(RType.SYMBOL_MAPPING)
UNIT_BYTES = 4
"""The unit in which a record gives its length."""
TRADE = np.dtype(
    [
        ("length", "u1"),
        ("rtype", "u1"),
        ("publisher_id", "<u2"),
        ("instrument_id", "<u4"),
        ("ts_event", "<u8"),
        ("price", "<i8"),
        ("size", "<u4"),
        ("action", "S1"),
        ("side", "S1"),
        ("flags", "u1"),
        ("depth", "u1"),
        ("ts_recv", "<u8"),
        ("ts_in_delta", "<i4"),
        ("sequence", "<u4"),
    ]
)
HEADER_BYTES = 16
ACTION_AT = 28
MAGIC = b"DBN"
SYMBOL_V1_BYTES = 22
SYMBOL_BYTES = 71


class DatabentoDbn(FileSource):
    """One DBN file that holds trades.

    Parameters
    ----------
    path
        The file.
    symbology
        Databento's `symbology.json` for it. By default the one beside the file, if the file maps no symbols.

    Raises
    ------
    TapewatchError
        The file holds no trades, its metadata cannot be read, or nothing says what its symbols are.
    """

    encoding = ENCODING
    takes = ("symbology",)

    def __init__(self, path: Path, symbology: Path | None = None) -> None:
        super().__init__(path)
        self._symbols = Instruments()
        metadata = _read_metadata(path)
        schema = metadata.schema if metadata else None
        if schema is not None and str(schema) not in SCHEMAS:
            raise TapewatchError(
                f"{path} holds no trades that can be read: its schema is {schema}.",
                f"Give a file of one of Databento's schemas {', '.join(SCHEMAS)}.",
            )
        if metadata is not None:
            _insert_metadata(self._symbols, metadata, path)
        beside = path.parent / "symbology.json"
        if symbology is None and not (metadata and metadata.mappings) and beside.is_file():
            symbology = beside
        if symbology is not None:
            _insert_symbology(self._symbols, symbology)
        self._has_days = symbology is not None or bool(metadata and metadata.mappings)
        self._has_metadata = metadata is not None
        # A live stream may have several schemas, and then a trade in each.
        self._best_kind: dict[int, int] | None = None if schema is not None else self._survey()
        if not self._has_days and not self._maps_symbols():
            raise TapewatchError(
                f"{path} names no symbols for its trades.",
                "Give the symbology.json that Databento delivers with such a file: --symbology FILE.",
            )

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`; `line` is the number of the record, of whatever kind."""
        ids = TradeIds()
        mapped = pl.DataFrame(schema=MAPPED)
        line = 1
        for block in self._blocks():
            mapped = pl.concat([mapped, _mappings(block, line)]).sort("line", maintain_order=True)
            trades, rejected = self._parse(block, line, mapped)
            mapped = mapped.unique("instrument_id", keep="last", maintain_order=True)
            line += len(block.starts)
            if block.broken is not None:
                rejected.append(RejectedRow(line, *block.broken))
            trades = trades.with_columns(trade_id=ids.name(trades))
            yield Rows(trades, rejected, block.position_bytes)

    def _blocks(self) -> Iterator["_Block"]:
        return _blocks(self.path, self._has_metadata)

    def _survey(self) -> dict[int, int]:
        """Return the kind of record that each instrument's trades are taken from."""
        best: dict[int, int] = {}
        others: set[int] = set()
        for block in self._blocks():
            kinds, is_trade = _trades_in(block)
            others.update(kinds[~is_trade].tolist())
            for kind in reversed(TRADE_KINDS):
                for instrument in np.unique(_trades(block, is_trade & (kinds == kind))["instrument_id"]):
                    best[int(instrument)] = min(kind, best.get(int(instrument), kind))
        if not best:
            names = ", ".join(sorted(_kind_name(kind) for kind in others))
            raise TapewatchError(
                f"{self.path} holds no trades that can be read: its records are {names or 'missing'}.",
                f"Give a file of one of Databento's schemas {', '.join(SCHEMAS)}.",
            )
        return best

    def _maps_symbols(self) -> bool:
        """Tell whether messages in the stream say what symbols its first trades have."""
        for block in self._blocks():
            kinds, is_trade = _trades_in(block)
            if (kinds == SYMBOL_MAPPING).any():
                return True
            if is_trade.any():
                return False
        return False

    def _parse(
        self, block: "_Block", first_line: int, mapped: pl.DataFrame
    ) -> tuple[pl.DataFrame, list[RejectedRow]]:
        """Convert a block's trades; `mapped` are the messages about symbols up to its end, by line."""
        _, is_trade = _trades_in(block)
        records = _trades(block, is_trade)
        at_record = np.flatnonzero(is_trade)
        if self._best_kind is not None and len(records):
            instruments, where = np.unique(records["instrument_id"], return_inverse=True)
            best = np.array([self._best_kind[int(instrument)] for instrument in instruments])
            is_best = records["rtype"] == best[where]
            records, at_record = records[is_best], at_record[is_best]
        lines = first_line + at_record
        undefined_time = np.uint64(UNDEFINED_TIME)
        symbols = self._symbols_of(records, lines, mapped)
        faults = {
            "ts_event is undefined": records["ts_event"] == undefined_time,
            "ts_recv is undefined": records["ts_recv"] == undefined_time,
            "price is undefined": records["price"] == UNDEFINED_PRICE,
            "size is undefined": records["size"] == UNDEFINED_SIZE,
            "side is not one of A, B, N": ~np.isin(records["side"], [side.encode() for side in SIDES]),
            "the file names no symbol for its instrument_id on that day": np.equal(symbols, None),  # type: ignore[call-overload] # numpy compares objects with None too
        }
        is_bad = np.any(list(faults.values()), axis=0)
        rejected = [
            RejectedRow(
                int(lines[at]),
                block.record(int(at_record[at])),
                next(fault for fault, where in faults.items() if where[at]),
            )
            for at in np.flatnonzero(is_bad)
        ]
        good = records[~is_bad]
        columns = {"line": lines[~is_bad]}
        for name, kind in (REQUIRED | OPTIONAL).items():
            if name == "symbol":
                columns[name] = symbols[~is_bad].tolist()
            elif kind == pl.String:
                columns[name] = good[name].astype("U1")
            else:
                columns[name] = good[name].astype(np.int64)
        return pl.DataFrame(columns, schema=COLUMNS), rejected

    def _symbols_of(self, records: np.ndarray, lines: np.ndarray, mapped: pl.DataFrame) -> np.ndarray:
        """Return the symbols of records, shape (n,), or None: by the stream's messages, else by the day.

        The day is that of the receive time, as Databento's files are cut and their symbols mapped by it.
        """
        has_recv = records["ts_recv"] != np.uint64(UNDEFINED_TIME)
        times = np.where(has_recv, records["ts_recv"], records["ts_event"])
        days = times.view("datetime64[ns]").astype("datetime64[D]")
        symbols = self._symbols.symbols(records["instrument_id"].astype(np.int64), days)
        if len(mapped):
            asked = pl.DataFrame({"line": lines, "instrument_id": records["instrument_id"].astype(np.int64)})
            found = asked.join_asof(mapped, on="line", by="instrument_id", check_sortedness=False)["mapped"]
            told = found.is_not_null().to_numpy()
            symbols[told] = found.drop_nulls().to_list()
        return symbols


class _Block(NamedTuple):
    """Some consecutive records, all whole.

    Parameters
    ----------
    data
        Their bytes.
    starts
        Where each begins, Int64, shape (n,).
    position_bytes
        How far into the file (as stored) they reach.
    broken
        Where the file breaks off behind them: the bytes that are no record, and the reason.
    """

    data: np.ndarray
    starts: np.ndarray
    position_bytes: int
    broken: tuple[bytes, str] | None

    def record(self, at: int) -> bytes:
        """Return the bytes of one record."""
        start = int(self.starts[at])
        return self.data[start : start + int(self.data[start]) * UNIT_BYTES].tobytes()


def _blocks(path: Path, has_metadata: bool) -> Iterator[_Block]:
    """Cut a file into blocks of whole records; the last one says how the file breaks off, if it does."""
    rest = b""
    position_bytes = 0
    in_metadata = has_metadata
    reason = None
    try:
        for piece, position_bytes in read_pieces(path):
            rest += piece
            if in_metadata:
                end = 8 + int.from_bytes(rest[4:8], "little")
                if len(rest) < max(end, 8):
                    continue
                rest, in_metadata = rest[end:], False
            if len(rest) >= CHUNK_BYTES:
                starts, end = _record_starts(rest)
                yield _Block(np.frombuffer(rest[:end], np.uint8), starts, position_bytes, None)
                rest = rest[end:]
                if rest and rest[0] * UNIT_BYTES < HEADER_BYTES:
                    break
    except BrokenFileError as error:
        reason = str(error)
    starts, end = _record_starts(rest)
    loose = rest[end:]
    if loose and loose[0] * UNIT_BYTES < HEADER_BYTES:
        loose, reason = (
            loose[:HEADER_BYTES],
            "the file is damaged: this is no record, and no further one can be found",
        )
    elif loose:
        reason = reason or "the file is truncated: it ends in the middle of a record"
    yield _Block(
        np.frombuffer(rest[:end], np.uint8), starts, position_bytes, (loose, reason) if reason else None
    )


def _record_starts(data: bytes) -> tuple[np.ndarray, int]:
    """Return where each whole record begins, and where the last one ends."""
    if not data:
        return np.zeros(0, np.int64), 0
    starts = np.zeros(0, np.int64)
    length = data[0] * UNIT_BYTES
    at = 0
    if length >= HEADER_BYTES:  # most files have records of one length
        heads = np.frombuffer(data, np.uint8)[: len(data) // length * length : length]
        other = np.flatnonzero(heads != data[0])
        starts = np.arange(other[0] if len(other) else len(heads), dtype=np.int64) * length
        at = len(starts) * length
    more = []
    while at < len(data):
        length = data[at] * UNIT_BYTES
        if length < HEADER_BYTES or at + length > len(data):
            break
        more.append(at)
        at += length
    return np.concatenate([starts, np.array(more, np.int64)]), at


def _trades_in(block: _Block) -> tuple[np.ndarray, np.ndarray]:
    """Return the kind of each record, and whether it is a trade; both of shape (n,)."""
    kinds = block.data[block.starts + 1]
    is_trade = np.isin(kinds, TRADE_KINDS) & (block.data[block.starts] >= TRADE.itemsize // UNIT_BYTES)
    # A book's records are its changes, too.
    at_book = np.flatnonzero(is_trade & (kinds != TRADE_KINDS[0]))
    is_trade[at_book] = block.data[block.starts[at_book] + ACTION_AT] == ord("T")
    return kinds, is_trade


def _trades(block: _Block, is_trade: np.ndarray) -> np.ndarray:
    """Return the marked records as an array of `TRADE`."""
    starts = block.starts[is_trade]
    rows = (
        np.lib.stride_tricks.sliding_window_view(block.data, TRADE.itemsize)[starts]
        if len(starts)
        else np.zeros((0, TRADE.itemsize), np.uint8)
    )
    return rows.view(TRADE).reshape(-1)


def _mappings(block: _Block, first_line: int) -> pl.DataFrame:
    """Return what a live stream's messages say: from which line on an instrument has which symbol."""
    found = []
    for at in np.flatnonzero(block.data[block.starts + 1] == SYMBOL_MAPPING):
        record = block.record(int(at))
        instrument = int.from_bytes(record[4:8], "little")
        if len(record) < HEADER_BYTES + 2 * SYMBOL_BYTES:
            texts = record[HEADER_BYTES:], record[HEADER_BYTES + SYMBOL_V1_BYTES :]
            width = SYMBOL_V1_BYTES
        else:  # a byte before each symbol tells its type
            texts = record[HEADER_BYTES + 1 :], record[HEADER_BYTES + SYMBOL_BYTES + 2 :]
            width = SYMBOL_BYTES
        asked, given = (text[:width].partition(b"\0")[0].decode("ascii", "replace") for text in texts)
        symbol = told_symbol(asked, given)
        if symbol:
            found.append((first_line + int(at), instrument, symbol))
    return pl.DataFrame(found, schema=MAPPED, orient="row")


def _read_metadata(path: Path) -> Metadata | None:
    """Return a file's metadata; None for a fragment, which has none."""
    content = b""
    reason = "the file is truncated: it ends within its metadata"
    try:
        for piece, _ in read_pieces(path):
            content += piece
            if not content.startswith(MAGIC[: len(content)]):
                return None
            end = 8 + int.from_bytes(content[4:8], "little")
            if len(content) >= max(end, 8):
                return Metadata.decode(content[:end])
    except (BrokenFileError, DBNError, ValueError) as error:
        reason = str(error)
    raise TapewatchError(f"{path} cannot be read as DBN: {reason}.", "Fetch the file again, or give another.")


def _insert_metadata(symbols: Instruments, metadata: Metadata, path: Path) -> None:
    """Take the symbols that a file maps itself."""
    if not metadata.mappings:
        return
    try:
        symbols.add_mappings(metadata.mappings, str(metadata.stype_in), str(metadata.stype_out))
    except (ValueError, KeyError, TypeError) as error:
        raise TapewatchError(
            f"{path} has symbols that cannot be read: {error}.",
            "Ask Databento for the trades with raw symbols (stype_in and stype_out of a raw_symbol).",
        ) from error


def _insert_symbology(symbols: Instruments, path: Path) -> None:
    """Take the symbols of a `symbology.json`."""
    try:
        told = json.loads(path.read_bytes())
        symbols.add_mappings(told["result"], told["stype_in"], told["stype_out"], ("d0", "d1", "s"))
    except OSError as error:
        raise TapewatchError(f"{path} cannot be read: {error.strerror}.", "Check --symbology.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TapewatchError(
            f"{path} is not a symbology file of Databento: {error}.",
            "Give the symbology.json that Databento delivers with the file.",
        ) from error


def _kind_name(kind: int) -> str:
    """Return what Databento calls a kind of record, or its number."""
    return next(
        (
            name.lower().replace("_", "-")
            for name in dir(RType)
            if name.isupper() and int(getattr(RType, name)) == kind
        ),
        str(kind),
    )
