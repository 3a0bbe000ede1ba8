"""Databento's trades as CSV, plain or zstd, with readable or integer prices and times.

The text is cut into lines and fields, converted and checked by columns; a line that is not a trade keeps
its number and its bytes. Databento does not quote fields, so a comma always separates two of them.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.columns import PLAIN_TEXT, PRICE_SCALE, SIDES
from services.sources.compression import BrokenFileError, read_pieces
from services.sources.databento.schema import (
    ENCODING,
    OPTIONAL,
    REQUIRED,
    TIMES,
    UNDEFINED_PRICE,
    UNDEFINED_SIZE,
    UNDEFINED_TIME,
)
from services.sources.databento.trade_ids import TradeIds
from services.sources.file import FileSource, Rows
from services.sources.lines import read_lines, without_nulls

COLUMNS = REQUIRED | OPTIONAL
INTEGER = r"^-?\d{1,20}$"
DECIMAL = r"^-?\d{1,10}\.\d{1,9}$"
ISO_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"
UNDEFINED_TEXTS = {
    "price": str(UNDEFINED_PRICE),
    "size": str(UNDEFINED_SIZE),
    "ts_event": str(UNDEFINED_TIME),
    "ts_recv": str(UNDEFINED_TIME),
}
MEANING = {INTEGER: "a whole number", DECIMAL: "a decimal number", ISO_TIME: "an ISO 8601 time in UTC"}


class DatabentoCsv(FileSource):
    """One CSV file of trades.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    TapewatchError
        The file is not Databento trades, or cannot be read.
    """

    encoding = ENCODING

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        header, sample = _first_lines(path)
        self._names = header.split(",")
        _check_header(path, self._names)
        self._readable = {name: _is_readable(name, self._names, sample) for name in ("price", *TIMES)}

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`."""
        ids = TradeIds()
        symbols: dict[int, str] = {}  # by instrument, to know a whole last line from a cut one
        for text, rejected, position_bytes, unended in read_lines(self.path, keep_unended=True):
            trades, bad = self._parse(text)
            if unended is not None and not self._is_whole(trades, unended, symbols):
                trades = trades.filter(pl.col("line") < unended.line)
                bad.append(unended)
            symbols |= dict(trades.select("instrument_id", "symbol").unique().iter_rows())
            trades = trades.with_columns(trade_id=ids.name(trades))
            yield Rows(trades, sorted([*rejected, *bad], key=lambda row: row.line), position_bytes)

    def _parse(self, numbered: pl.DataFrame) -> tuple[pl.DataFrame, list[RejectedRow]]:
        """Convert lines, as in `Lines.text`, into trades."""
        fits = pl.col("raw").str.count_matches(",", literal=True) == len(self._names) - 1
        cells = numbered.filter(fits).with_columns(
            pl.col("raw")
            .str.split_exact(",", len(self._names) - 1)
            .struct.rename_fields(self._names)
            .alias("cells")
        )
        cells = cells.unnest("cells")
        typed = cells.select("line", *(self._typed(name) for name in self._names))
        trades, rejected = without_nulls(typed, numbered, self._explain)
        rejected += [
            RejectedRow(
                line,
                raw.encode(),
                f"{raw.count(',') + 1} columns where the header has {len(self._names)}",
            )
            for line, raw in numbered.filter(~fits).iter_rows()
        ]
        return trades, rejected

    def _typed(self, name: str) -> pl.Expr:
        """Convert one column, with null where the text is not what it should be."""
        text = pl.col(name)
        if name == "side":
            return pl.when(text.is_in(SIDES)).then(text).alias(name)
        if COLUMNS[name] == pl.String:
            return pl.when(text.str.contains(PLAIN_TEXT)).then(text).alias(name)
        number = text.cast(pl.Int64, strict=False)
        if name in TIMES:
            if self._readable[name]:
                valid = pl.when(text.str.contains(ISO_TIME)).then(text)
                time = valid.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns", strict=False)
                number = time.cast(pl.Int64)
            return pl.when(number >= 0).then(number).alias(name)
        if name == "price":
            if self._readable[name]:
                exact = pl.when(text.str.contains(DECIMAL)).then(text).cast(pl.Decimal(38, 9), strict=False)
                number = (exact * PRICE_SCALE).cast(pl.Int64, strict=False)
            return pl.when(number != UNDEFINED_PRICE).then(number).alias(name)
        if name == "size":
            return pl.when((number >= 0) & (number < UNDEFINED_SIZE)).then(number).alias(name)
        return number

    def _explain(self, name: str, raw: str) -> str:
        """Say what is wrong with a row, whose first column that did not convert is `name`."""
        text = raw.split(",")[self._names.index(name)]
        if text in ("", UNDEFINED_TEXTS.get(name)):
            return f"{name} is undefined" if text else f"{name} is empty"
        if name == "side":
            return f"side is not one of A, B, N: {text!r}"
        if COLUMNS[name] == pl.String:
            return f"{name} is not plain text of 1 to 256 characters: {text[:300]!r}"
        form = INTEGER
        if self._readable.get(name):
            form = DECIMAL if name == "price" else ISO_TIME
        if not re.match(form, text):
            return f"{name} is not {MEANING[form]}: {text!r}"
        if name == "size" and text.startswith("-"):
            return f"size is negative: {text}"
        return f"{name} is out of range: {text}"

    def _is_whole(self, trades: pl.DataFrame, unended: RejectedRow, symbols: dict[int, str]) -> bool:
        """Tell whether a last line that has no line end is surely whole, or no trade anyway.

        A file cut inside its last field still has every column, and would be published with a symbol or
        number that never was. It is whole when its last field is the symbol that this instrument has above.
        """
        last = trades.filter(pl.col("line") == unended.line)
        if last.is_empty():
            return True
        earlier = trades.filter(pl.col("line") < unended.line)
        known = symbols | dict(earlier.select("instrument_id", "symbol").unique().iter_rows())
        return self._names[-1] == "symbol" and known.get(last["instrument_id"][0]) == last["symbol"][0]


def _first_lines(path: Path) -> tuple[str, list[str]]:
    """Return the header and up to a hundred lines after it."""
    text = b""
    try:
        for piece, _ in read_pieces(path):
            text += piece
            if len(text) >= 1 << 16:
                break
    except BrokenFileError:
        pass  # reported with its place when the rows are read
    header, *lines = text.decode("utf-8", "replace").splitlines() or [""]
    return header.strip().lstrip("\ufeff"), lines[:100]


def _check_header(path: Path, names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if len(missing) == len(REQUIRED):
        raise TapewatchError(
            f"{path} is not a file of trades: its first line has none of a trade's columns.",
            f"Give Databento trades as CSV with a header ({', '.join(REQUIRED)}, …) or as DBN.",
        )
    if missing == ["symbol"]:
        raise TapewatchError(
            f"{path} has no column 'symbol'.",
            "Ask Databento for symbols in the file (`map_symbols=True`).",
        )
    if missing:
        raise TapewatchError(
            f"{path} is not a file of trades: it lacks the columns {', '.join(missing)}.",
            "Give a file of Databento's schema 'trades'.",
        )
    if unknown:
        raise TapewatchError(
            f"{path} is not of the schema 'trades': it has the columns {', '.join(unknown[:5])}"
            f"{' …' if len(unknown) > 5 else ''}.",
            "Give a file of Databento's schema 'trades'; other schemas hold more than trades.",
        )
    if len(set(names)) < len(names):
        raise TapewatchError(f"{path} names a column twice.", "Give each column once.")


def _is_readable(name: str, names: list[str], sample: list[str]) -> bool:
    """Tell whether a column holds text such as 137.97 and 2024-12-02T…Z, not integers of 1e-9.

    One form holds for the whole file; the majority decides, so that one bad row does not.
    """
    if name not in names:
        return False
    position = names.index(name)
    form = DECIMAL if name == "price" else ISO_TIME
    cells = [cells[position] for line in sample if len(cells := line.split(",")) == len(names)]
    readable = sum(re.match(form, cell) is not None for cell in cells)
    integers = sum(re.match(INTEGER, cell) is not None for cell in cells)
    return readable >= integers
