"""Databento's trades as CSV: as Databento writes it, and as pandas, polars and spreadsheets write it again.

The text is cut into lines and fields, converted and checked by columns; a line that is not a trade keeps its
number and its bytes. Rows as Databento writes them are converted fast. Those that this does not understand
are read once more with care: their quotes are resolved, and numbers and times may have any form of
`services.sources.values`.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources import values
from services.sources.base import RejectedRow
from services.sources.columns import PLAIN_TEXT, PRICE_SCALE, SIDES
from services.sources.compression import first_bytes
from services.sources.databento.price_form import LEAST_UNLIKELY_PRICE, PriceCounts
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
from services.sources.dialect import CELL_END, Dialect, dialect_of, split_cells
from services.sources.file import FileSource, Rows
from services.sources.lines import Lines, first_null, read_lines
from services.sources.options import PriceForm
from services.sources.values import DateOrder, date_order

COLUMNS = REQUIRED | OPTIONAL
SAMPLE_BYTES = 1 << 16
INTEGER = r"^-?\d{1,20}$"
DECIMAL = r"^-?\d{1,10}\.\d{1,9}$"
YEARS = "(19[7-9][0-9]|2[01][0-9]{2}|22[0-5][0-9]|226[01])"
"""Of which 64 bits hold the nanoseconds; polars would read others as times of these years."""
NANO_TIME = rf"^{YEARS}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}\.[0-9]{{9}}Z$"
ISO_TIME = rf"^{YEARS}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{1,9}})?Z$"
TIME_FORMATS = {NANO_TIME: "%Y-%m-%dT%H:%M:%S.%9fZ", ISO_TIME: "%Y-%m-%dT%H:%M:%S%.fZ"}
"""Of written times; of a fixed length they are read four times as fast."""
COUNTED_TIME = r"^\d{9,19}(\.\d+)?$"
YEAR_LAST_DATE = r"^\d{1,2}[-/]\d{1,2}[-/]\d{4}\b"
LEAST_NANOS = 10**17
"""Smaller numbers are times in us, ms or s: 10^17 ns is in 1973, 10^17 us in the year 5138."""
UNDEFINED_TEXTS = {
    "price": str(UNDEFINED_PRICE),
    "size": str(UNDEFINED_SIZE),
    "ts_event": str(UNDEFINED_TIME),
    "ts_recv": str(UNDEFINED_TIME),
}
NO_VALUE = ("", "nan", "nat", "null", "none", "na", "n/a", "<na>")
"""What pandas, polars and others write where there is no value, in lower case."""


class DatabentoCsv(FileSource):
    """One CSV file of trades.

    Parameters
    ----------
    path
        The file.
    prices
        How its prices are written; None for what the column shows.

    Raises
    ------
    TapewatchError
        The file is not Databento trades, is written in a way that is not supported, or cannot be read.
    """

    encoding = ENCODING
    takes = ("prices",)

    def __init__(self, path: Path, prices: PriceForm | None = None) -> None:
        super().__init__(path)
        self._dialect = dialect_of(first_bytes(path, SAMPLE_BYTES), COLUMNS)
        _check_dialect(path, self._dialect)
        self._names = [name or f"#{at}" for at, name in enumerate(self._dialect.names, 1)]
        self._known = [name for name in self._names if name in COLUMNS]
        self._written = {name: _written_times(self._dialect.column(name)) for name in TIMES}
        self._order = _date_order(path, self._dialect)
        self._prices = self._given_prices = prices

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`."""
        self._prices = self._prices or self._price_form()
        ids = TradeIds()
        symbols: dict[int, str] = {}  # by instrument, to know a whole last line from a cut one
        for text, rejected, position_bytes, unended in self._lines():
            trades, bad = self._parse(text)
            if unended is not None and not self._is_whole(trades, unended, symbols):
                trades = trades.filter(pl.col("line") < unended.line)
                bad.append(unended)
            symbols |= dict(trades.select("instrument_id", "symbol").unique().iter_rows())
            trades = trades.with_columns(trade_id=ids.name(trades))
            rejected = sorted([*rejected, *bad], key=lambda row: row.line)
            yield Rows(trades, [self._as_stored(row) for row in rejected], position_bytes)

    def _lines(self) -> Iterator[Lines]:
        dialect = self._dialect
        return read_lines(
            self.path,
            keep_unended=True,
            encoding=dialect.encoding,
            line_end=dialect.line_end,
            header_lines=dialect.header_line,
        )

    def _as_stored(self, row: RejectedRow) -> RejectedRow:
        """Return a rejected row with its bytes in the file's encoding."""
        if self._dialect.encoding == "utf-8":
            return row
        text = row.raw.decode("utf-8", "surrogatepass")
        return RejectedRow(row.line, text.encode(self._dialect.encoding, "surrogatepass"), row.reason)

    def _price_form(self) -> PriceForm:
        """Tell how prices are written: from the first rows if one has a point, else from the whole column."""
        counts = PriceCounts()
        counts.add(pl.Series(self._dialect.column("price"), dtype=pl.String))
        if counts.are_surely_decimal:
            return "decimal"
        counts = PriceCounts()
        at = self._names.index("price")
        for text, _, _, _ in self._lines():
            cells = split_cells(text["raw"], self._dialect.separator).str.split(CELL_END)
            counts.add(cells.list.get(at, null_on_oob=True).drop_nulls().str.strip_chars())
        return counts.form(self.path)

    def _parse(self, numbered: pl.DataFrame) -> tuple[pl.DataFrame, list[RejectedRow]]:
        """Convert lines, as in `Lines.text`, into trades."""
        separator = self._dialect.separator
        fits = pl.col("raw").str.count_matches(separator, literal=True) == len(self._names) - 1
        cells = self._cells(numbered.filter(fits), pl.col("raw"), separator)
        typed = cells.select("line", *(self._typed(name) for name in self._known))
        is_bad = typed.select(pl.any_horizontal(pl.col(self._known).is_null())).to_series()
        if len(typed) == len(numbered) and not is_bad.any():
            return self._with_sequence(typed), []
        good = typed.filter(~is_bad)
        careful, rejected = self._parse_carefully(numbered.join(good, on="line", how="anti"))
        if good.is_empty():
            return self._with_sequence(careful), rejected
        if careful.schema["price"] != good.schema["price"]:  # some are finer than 1e-9
            careful, rejected = self._parse_carefully(numbered)
            return self._with_sequence(careful), rejected
        good = good.with_columns(pl.col("size").cast(careful.schema["size"]))
        return self._with_sequence(pl.concat([good, careful]).sort("line")), rejected

    def _with_sequence(self, trades: pl.DataFrame) -> pl.DataFrame:
        """Add the sequence of a file that has none."""
        if "sequence" in trades.columns:
            return trades
        return trades.with_columns(sequence=pl.lit(0, pl.Int64))

    def _cells(self, lines: pl.DataFrame, cells: pl.Expr, separator: str) -> pl.DataFrame:
        """Cut lines that all have as many cells as the header."""
        split = cells.str.split_exact(separator, len(self._names) - 1).struct.rename_fields(self._names)
        return lines.with_columns(split.alias("#cells")).unnest("#cells")

    def _typed(self, name: str) -> pl.Expr:
        """Convert one column as Databento writes it, with null where the text is not that."""
        text = pl.col(name)
        if name == "side":
            return pl.when(text.is_in(SIDES)).then(text).alias(name)
        if COLUMNS[name] == pl.String:
            return pl.when(text.str.contains(PLAIN_TEXT)).then(text).alias(name)
        number = text.cast(pl.Int64, strict=False)
        if name in TIMES:
            if (written := self._written[name]) is not None:
                valid = pl.when(text.str.contains(written)).then(text)
                time = valid.str.to_datetime(TIME_FORMATS[written], time_unit="ns", strict=False)
                return time.cast(pl.Int64).alias(name)
            return pl.when(number >= LEAST_NANOS).then(number).alias(name)
        if name == "price":
            if self._prices == "fixed":
                return pl.when(number != UNDEFINED_PRICE).then(number).alias(name)
            exact = pl.when(text.str.contains(DECIMAL)).then(text).cast(pl.Decimal(38, 9), strict=False)
            nanos = (exact * PRICE_SCALE).cast(pl.Int64, strict=False)
            most = LEAST_UNLIKELY_PRICE * PRICE_SCALE
            return pl.when(nanos.is_between(-most, most, closed="none")).then(nanos).alias(name)
        if name == "size":
            return pl.when((number >= 0) & (number < UNDEFINED_SIZE)).then(number).alias(name)
        return number

    def _parse_carefully(self, numbered: pl.DataFrame) -> tuple[pl.DataFrame, list[RejectedRow]]:
        """Convert lines in any form; comments and empty rows are none."""
        separator = self._dialect.separator
        is_row = ~pl.col("raw").str.contains(rf'^(\s*#|[\s"{re.escape(separator)}]*$)')
        rows = numbered.filter(is_row).sort("line")
        cells = split_cells(rows["raw"], separator)
        found = cells.str.count_matches(CELL_END, literal=True).cast(pl.Int64).fill_null(-2) + 1
        fits = found == len(self._names)
        rejected = [
            RejectedRow(line, raw.encode(), _misfit(count, len(self._names)))
            for line, raw, count in rows.with_columns(found.alias("found")).filter(~fits).iter_rows()
        ]
        rows = rows.with_columns(cells.alias("#text")).filter(fits)
        frame = self._cells(rows, pl.col("#text"), CELL_END)
        frame = frame.with_columns(pl.col(self._known).str.strip_chars())
        typed = pl.DataFrame([frame["line"], *(self._read(name, frame[name]) for name in self._known)])
        is_bad = typed.select(pl.any_horizontal(pl.col(self._known).is_null())).to_series()
        if is_bad.any():
            faults = typed.filter(is_bad).select(first_null(self._known)).to_series()
            bad = frame.filter(is_bad)
            # By column, as converting each text by itself would take a second for a thousand rows.
            exact = {name: self._numbers(bad[name]).to_list() for name in faults.unique() if _is_number(name)}
            for at, (row, name) in enumerate(zip(bad.iter_rows(named=True), faults, strict=True)):
                reason = self._explain(name, row[name], exact[name][at] if name in exact else None)
                rejected.append(RejectedRow(row["line"], row["raw"].encode(), reason))
            typed = typed.filter(~is_bad)
        return typed.with_columns(self._narrow(name, typed[name]) for name in ("price", "size")), rejected

    def _read(self, name: str, text: pl.Series) -> pl.Series:
        """Convert one column in any form, with null where the text is none of it."""
        if name == "side":
            return text.set(~text.is_in(SIDES), None)
        if COLUMNS[name] == pl.String:
            return text.set(~text.str.contains(PLAIN_TEXT), None)
        if name in TIMES:
            return self._times(text)
        if name == "sequence":
            text = text.set(text.str.to_lowercase().is_in(NO_VALUE), "0")
        exact = self._numbers(text)
        if name == "price":
            most = LEAST_UNLIKELY_PRICE
            if self._prices == "fixed":
                exact, most = exact.set(values.whole_numbers(exact).is_null(), None), UNDEFINED_PRICE
            elif self._given_prices == "decimal":
                most = UNDEFINED_PRICE
            return exact.set(exact.abs() >= most, None)
        if name == "size":
            return exact.set(~exact.is_between(0, UNDEFINED_SIZE, closed="left"), None)
        return values.whole_numbers(exact)

    def _narrow(self, name: str, exact: pl.Series) -> pl.Series:
        """Return good prices or sizes as `services.sources.columns` has them."""
        if name == "size":
            return values.sizes(exact)
        return values.whole_numbers(exact) if self._prices == "fixed" else values.prices(exact)

    def _times(self, text: pl.Series) -> pl.Series:
        nanos = values.times(text, order=self._order)
        is_counted = text.str.contains(COUNTED_TIME)
        if not is_counted.any():
            return nanos
        counted = values.epoch_times_of_any_unit(values.numbers(text.set(~is_counted, None)))
        return nanos.zip_with(~is_counted.fill_null(value=False), counted)

    def _numbers(self, text: pl.Series) -> pl.Series:
        return values.numbers(text, decimal_comma=self._dialect.decimal_comma)

    def _explain(self, name: str, text: str, exact: Decimal | None) -> str:
        """Say what is wrong with a row.

        Parameters
        ----------
        name, text
            The first column that did not convert, and what stands there.
        exact
            The number that it is, if it is one.
        """
        if text == "":
            return f"{name} is empty"
        if text == UNDEFINED_TEXTS.get(name) or (text.lower() in NO_VALUE and COLUMNS[name] != pl.String):
            return f"{name} is undefined"
        if name == "side":
            return f"side is not one of A, B, N: {text!r}"
        if COLUMNS[name] == pl.String:
            return f"{name} is not plain text of 1 to 256 characters: {text[:300]!r}"
        if name in TIMES:
            return _explain_time(name, text)
        if exact is None:
            if re.match(r"^[+-]?[\d.,]+([eE][+-]?\d+)?$", text) and not re.search(r"[.,].*[.,]", text):
                comma = "," in text and not self._dialect.decimal_comma
                return f"{name} is not a number: {text!r}" if comma else f"{name} is out of range: {text}"
            return f"{name} is not a number: {text!r}"
        if name == "size" and exact < 0:
            return f"size is negative: {text}"
        if name == "price" and self._prices == "decimal":
            return (
                f"price looks like a whole number of 1e-9 among readable ones: {text!r} (--prices says which)"
            )
        if name == "price" and exact != int(exact):
            return f"price is not a whole number of 1e-9: {text!r}"
        if name not in ("price", "size") and exact != int(exact):
            return f"{name} is not a whole number: {text!r}"
        return f"{name} is out of range: {text}"

    def _is_whole(self, trades: pl.DataFrame, unended: RejectedRow, symbols: dict[int, str]) -> bool:
        """Tell whether a last line that has no line end is surely whole, or no trade anyway.

        A file cut inside its last field still has every column, and would be published with a symbol or
        number that never was. It is whole when its last field is in quotes, or is the symbol that this
        instrument has above.
        """
        last = trades.filter(pl.col("line") == unended.line)
        if last.is_empty() or unended.raw.endswith(b'"'):
            return True
        earlier = trades.filter(pl.col("line") < unended.line)
        known = symbols | dict(earlier.select("instrument_id", "symbol").unique().iter_rows())
        return self._names[-1] == "symbol" and known.get(last["instrument_id"][0]) == last["symbol"][0]


def _is_number(name: str) -> bool:
    return COLUMNS[name] != pl.String and name not in TIMES


def _misfit(cells: int, columns: int) -> str:
    if cells < 0:
        return "its quotes do not match"
    return f"{cells} columns where the header has {columns}"


def _explain_time(name: str, text: str) -> str:
    if re.match(r"^\d(\.\d+)?[eE]\+?\d+$", text):
        return f"{name} was rounded by a spreadsheet: {text!r}; export it again, with the column as text"
    if re.match(r"^\d{1,2}:\d\d(:\d\d)?(\.\d+)?( ?[AaPp][Mm])?$", text):
        return (
            f"{name} has no date, as spreadsheets save it: {text!r}; give the column a format with all of it"
        )
    if re.match(r"^[34]\d{4}([.,]\d+)?$", text):
        return (
            f"{name} is a spreadsheet's number of a day: {text!r}; give the column a format of date and time"
        )
    if re.match(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d|^-?\d{1,20}$", text):
        return f"{name} is out of range: {text}"
    return f"{name} is not an ISO 8601 time: {text!r}"


def _check_dialect(path: Path, dialect: Dialect) -> None:
    if dialect.encoding.startswith("utf-32"):
        raise TapewatchError(f"{path} is text in UTF-32, which is not supported.", "Save it as UTF-8.")
    names = [name for name in dialect.names if name]
    missing = [name for name in REQUIRED if name not in names and name != "sequence"]
    unknown = [name for name in names if name not in COLUMNS]
    if len(missing) >= len(REQUIRED) - 1:
        raise TapewatchError(
            f"{path} is not a file of trades: its first line has none of a trade's columns.",
            f"Say with --map which column is what; `tapewatch inspect {path}` proposes it.",
        )
    if missing == ["symbol"]:
        raise TapewatchError(
            f"{path} has no column 'symbol'.",
            "Ask Databento for symbols in the file (`map_symbols=True`).",
        )
    if missing:
        raise TapewatchError(
            f"{path} is not a file of trades: it lacks the columns {', '.join(missing)}.",
            f"Give a file of Databento's schema 'trades', or say with --map which column is what; "
            f"`tapewatch inspect {path}` proposes it.",
        )
    if unknown:
        raise TapewatchError(
            f"{path} is not of the schema 'trades': it has the columns {', '.join(unknown[:5])}"
            f"{' …' if len(unknown) > 5 else ''}.",
            "Give a file of Databento's schema 'trades'; other schemas hold more than trades.",
        )
    if len(set(names)) < len(names):
        raise TapewatchError(f"{path} names a column twice.", "Give each column once.")


def _date_order(path: Path, dialect: Dialect) -> DateOrder | None:
    """Tell what dates such as 3/4/2026 begin with, if the file has such dates.

    Raises
    ------
    TapewatchError
        They can be read in two ways.
    """
    times = pl.Series([cell for name in TIMES for cell in dialect.column(name)], dtype=pl.String)
    dates = times.filter(times.str.contains(YEAR_LAST_DATE))
    order = date_order(dates)
    if len(dates) and order is None:
        raise TapewatchError(
            f"{path} has dates whose day and month cannot be told apart: {dates[0]!r}.",
            "Give the time columns the format yyyy-mm-dd hh:mm:ss.000 and save the file again.",
        )
    return order


def _written_times(cells: list[str]) -> str | None:
    """Return which of `TIME_FORMATS` a column has; None for integers. The majority decides."""
    nanos, written, integers = (
        sum(re.match(form, cell) is not None for cell in cells) for form in (NANO_TIME, ISO_TIME, INTEGER)
    )
    if written < integers:
        return None
    return NANO_TIME if nanos and nanos == written else ISO_TIME
