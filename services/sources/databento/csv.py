"""Databento's trades as CSV, plain or zstd, with readable or integer prices and times.

The text is cut into lines and fields, converted and checked by columns; a line that is not a trade keeps
its number and its bytes. Databento does not quote fields, so a comma always separates two of them.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from services.common.errors import TapewatchError
from services.sources.base import (
    OPTIONAL,
    PRICE_SCALE,
    REQUIRED,
    SIDES,
    TIMES,
    UNDEFINED_PRICE,
    UNDEFINED_SIZE,
    UNDEFINED_TIME,
    BadRow,
    Chunk,
)
from services.sources.compression import BrokenFileError, read_pieces

CHUNK_BYTES = 8 << 20
CHUNK_LINES = 1 << 17
"""More than trades of `CHUNK_BYTES` have; very short lines are bad rows, which take memory and time each."""
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
PLAIN_TEXT = r'^[^"\\\x00-\x1f]{1,256}$'


class DatabentoCsv:
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

    def __init__(self, path: Path) -> None:
        self.path = path
        header, sample = _first_lines(path)
        self._names = header.split(",")
        _check_header(path, self._names)
        self._readable = {name: _is_readable(name, self._names, sample) for name in ("price", *TIMES)}

    def chunks(self) -> Iterator[Chunk]:
        """Read the file from its start; see `Chunk`."""
        line = 1
        symbols: dict[int, str] = {}  # by instrument, to know a whole last line from a cut one
        for text, position_bytes, broken in _parts(self.path):
            body = text
            if line == 1:
                body = text.partition(b"\n")[2]  # the header, which is known
                line = 2
            lines, undecodable = _decode_lines(body, self.path.name, line)
            trades, bad_rows = self._parse(lines, line)
            bad_rows += undecodable
            if body and not body.endswith(b"\n") and broken is None:
                trades, bad_rows = self._doubt_last_line(body, lines, line, trades, bad_rows, symbols)
            if broken is not None:
                bad_rows.append(BadRow(self.path.name, line + len(lines), broken[0], broken[1]))
            line += len(lines)
            symbols |= dict(trades.select("instrument_id", "symbol").unique().iter_rows())
            yield Chunk(trades, sorted(bad_rows, key=lambda row: row.line), position_bytes)

    def _parse(self, lines: pl.Series, first_line: int) -> tuple[pl.DataFrame, list[BadRow]]:
        """Convert lines into trades; `lines` are String, `first_line` is the number of the first."""
        numbered = pl.DataFrame({"raw": lines}).with_row_index("line", first_line).cast({"line": pl.Int64})
        numbered = numbered.filter(pl.col("raw") != "")
        fits = pl.col("raw").str.count_matches(",", literal=True) == len(self._names) - 1
        cells = numbered.filter(fits).with_columns(
            pl.col("raw")
            .str.split_exact(",", len(self._names) - 1)
            .struct.rename_fields(self._names)
            .alias("cells")
        )
        cells = cells.unnest("cells")
        typed = cells.select("line", *(self._typed(name) for name in self._names))
        is_bad = typed.select(pl.any_horizontal(pl.col(self._names).is_null())).to_series()
        bad_rows = [
            BadRow(
                self.path.name,
                line,
                raw.encode(),
                f"{raw.count(',') + 1} columns where the header has {len(self._names)}",
            )
            for line, raw in numbered.filter(~fits).iter_rows()
        ]
        if is_bad.any():
            first_null = pl.coalesce(
                [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in self._names]
            )
            faults = typed.filter(is_bad).select(first_null).to_series()
            for row, name in zip(cells.filter(is_bad).iter_rows(named=True), faults, strict=True):
                error = self._explain(name, row[name])
                bad_rows.append(BadRow(self.path.name, row["line"], row["raw"].encode(), error))
            typed = typed.filter(~is_bad)
        return typed, bad_rows

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

    def _explain(self, name: str, text: str) -> str:
        """Say what is wrong with a row: `text` in column `name`, its first one that did not convert."""
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

    def _doubt_last_line(
        self,
        body: bytes,
        lines: pl.Series,
        first_line: int,
        trades: pl.DataFrame,
        bad_rows: list[BadRow],
        symbols: dict[int, str],
    ) -> tuple[pl.DataFrame, list[BadRow]]:
        """Take back a last line that has no line end, unless it is surely whole.

        A file cut inside its last field still has every column, and would be published with a symbol or
        number that never was. It is whole when its last field is the symbol that this instrument has above.
        """
        last_line = first_line + len(lines) - 1
        last = trades.filter(pl.col("line") == last_line)
        if last.is_empty():
            return trades, bad_rows
        earlier = trades.filter(pl.col("line") < last_line)
        known = symbols | dict(earlier.select("instrument_id", "symbol").unique().iter_rows())
        if self._names[-1] == "symbol" and known.get(last["instrument_id"][0]) == last["symbol"][0]:
            return trades, bad_rows
        raw = body.rsplit(b"\n", 1)[-1]
        cut = BadRow(self.path.name, last_line, raw, "the file ends in the middle of this line (no line end)")
        return earlier, [*bad_rows, cut]


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


def _parts(path: Path) -> Iterator[tuple[bytes, int, tuple[bytes, str] | None]]:
    """Yield what `_whole_lines` does, cut after every `CHUNK_LINES` lines."""
    for text, position_bytes, broken in _whole_lines(path):
        ends: list[int] = []
        if text.count(b"\n") > CHUNK_LINES:
            line_ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
            ends = line_ends[CHUNK_LINES - 1 : -1 : CHUNK_LINES].tolist()
        for start, end in pairwise([0, *ends]):
            yield text[start:end], position_bytes, None
        yield text[ends[-1] if ends else 0 :], position_bytes, broken


def _whole_lines(path: Path) -> Iterator[tuple[bytes, int, tuple[bytes, str] | None]]:
    """Yield text that ends with a line (but perhaps the last), its position, and how the file broke off.

    Where it broke off, the unfinished line and the reason stand in the third place.
    """
    rest = b""
    position_bytes = 0
    try:
        for piece, position_bytes in read_pieces(path):
            rest += piece
            if len(rest) >= CHUNK_BYTES:
                end = rest.rfind(b"\n") + 1
                if end:
                    yield rest[:end], position_bytes, None
                    rest = rest[end:]
    except BrokenFileError as error:
        end = rest.rfind(b"\n") + 1
        yield rest[:end], position_bytes, (rest[end:], str(error))
    else:
        if rest:
            yield rest, position_bytes, None


def _decode_lines(body: bytes, file: str, first_line: int) -> tuple[pl.Series, list[BadRow]]:
    """Cut bytes into lines; a line that is not UTF-8 becomes a bad row and an empty line."""
    if not body:
        return pl.Series("raw", [], pl.String), []
    body = body.removesuffix(b"\n")
    undecodable = []
    try:
        text = body.decode()
    except UnicodeDecodeError:
        lines = body.split(b"\n")
        for at, raw in enumerate(lines):
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                undecodable.append(BadRow(file, first_line + at, raw, f"not UTF-8 text ({error.reason})"))
                lines[at] = b""
        text = b"\n".join(lines).decode()
    series = pl.Series("raw", [text]).str.split("\n").explode()
    return series.str.strip_suffix("\r"), undecodable
