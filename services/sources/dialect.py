"""How a text file of rows is written: its encoding, line ends, separator, quotes and header."""

import codecs
import csv
import re
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

SEPARATORS = (",", ";", "\t", "|")
SAMPLE_ROWS = 100
NO_NAME = re.compile(r"(unnamed:_\d+|index|level_0|row_nr)?")
"""Names that pandas and polars give to the number of a row; such a column is left out."""

CELL_END = "\x1f"
"""What separates the cells of a line once its quotes are resolved; no such character stands in a file."""

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NOT_DATA = re.compile(r"\s*(#.*|sep=.)?\s*")


@dataclass(frozen=True)
class Dialect:
    """What the beginning of a file shows.

    Parameters
    ----------
    encoding
        `utf-8`, `utf-16-le`, `utf-16-be`, or another of Unicode that is not supported.
    line_end
        What ends a line: a line feed, perhaps after a carriage return, or a carriage return alone.
    header
        The line with the names, as it stands there.
    header_line
        Its number; before it are only comments and blank lines.
    separator
        What separates cells.
    names
        Names of the columns: lower case, with `_` for spaces; empty for a column that is left out.
    decimal_comma
        Numbers have a comma where others have a point.
    sample
        The cells of up to `SAMPLE_ROWS` rows below the header that have as many as it has.
    """

    encoding: str
    line_end: str
    header: str
    header_line: int
    separator: str
    names: tuple[str, ...]
    decimal_comma: bool
    sample: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        """Return the sample's cells of a column; none if the file has no such column."""
        if name not in self.names:
            return []
        return [row[self.names.index(name)] for row in self.sample]


def dialect_of(beginning: bytes, known: Collection[str]) -> Dialect:
    """Tell how a file is written that begins like this.

    Parameters
    ----------
    beginning
        The first bytes of its content, decompressed.
    known
        Names of columns that a reader looks for: the separator that yields most of them is the file's.
    """
    encoding = next((name for bom, name in _BOMS if beginning.startswith(bom)), None) or _without_bom(
        beginning
    )
    text = beginning.decode(encoding, "replace").removeprefix("\ufeff")
    line_end = "\n" if "\n" in text or "\r" not in text else "\r"
    lines = [line.removesuffix("\r") for line in text.split(line_end)]
    at = next((at for at, line in enumerate(lines) if not _NOT_DATA.fullmatch(line)), 0)
    header = lines[at]

    def score(separator: str) -> tuple[int, int]:
        names = _names(header, separator)
        return len(set(names) & set(known)), len(names)

    separator = max(SEPARATORS, key=score)
    names = _names(header, separator)
    rows = [
        split_line(line, separator)
        for line in lines[at + 1 : -1] or lines[at + 1 :]
        if not _NOT_DATA.fullmatch(line)
    ]
    sample = tuple(tuple(row) for row in rows[:SAMPLE_ROWS] if row is not None and len(row) == len(names))
    return Dialect(
        encoding,
        line_end,
        header,
        at + 1,
        separator,
        tuple(names),
        _has_decimal_commas(sample, separator),
        sample,
    )


def split_line(line: str, separator: str) -> list[str] | None:
    """Return a line's cells without quotes and outer spaces; None if its quotes do not match."""
    try:
        cells = next(csv.reader([line], delimiter=separator, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return None
    return [cell.strip() for cell in cells]


def split_cells(raw: pl.Series, separator: str) -> pl.Series:
    """Resolve the quotes of lines.

    Parameters
    ----------
    raw
        Lines, String, n values.
    separator
        What separates cells.

    Returns
    -------
    pl.Series
        The lines with `CELL_END` between cells and without quotes around them; null where they do not match.
    """
    mark = re.escape(separator)
    cell = rf'(?:"[^"{mark}]*"|[^"{mark}]*)'
    is_plain = raw.str.contains(rf"^{cell}(?:{mark}{cell})*$")
    simple = raw.str.replace_all('"', "", literal=True).str.replace_all(separator, CELL_END, literal=True)
    if is_plain.all():
        return simple
    resolved = [
        text if plain else _joined(split_line(line, separator))
        for text, plain, line in zip(simple, is_plain, raw, strict=True)
    ]
    return pl.Series(raw.name, resolved, pl.String)


def _joined(cells: list[str] | None) -> str | None:
    return None if cells is None else CELL_END.join(cells)


def _without_bom(beginning: bytes) -> str:
    """Tell UTF-16 from UTF-8 by the zeros in its first letters."""
    if beginning[1:2] == b"\0" and beginning[3:4] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if beginning[:1] == b"\0" and beginning[2:3] == b"\0" else "utf-8"


def _names(header: str, separator: str) -> list[str]:
    names = split_line(header, separator) or header.split(separator)
    names = [re.sub(r"[\s-]+", "_", name.lower()) for name in names]
    return ["" if NO_NAME.fullmatch(name) else name for name in names]


def _has_decimal_commas(sample: tuple[tuple[str, ...], ...], separator: str) -> bool:
    """Tell whether numbers have commas; `1,234` between commas may be a thousand, and proves nothing."""
    cells = [cell for row in sample for cell in row]
    if any(re.fullmatch(r"-?\d+\.\d+", cell) for cell in cells):
        return False
    form = r"-?\d+,\d+" if separator != "," else r"-?\d+,(\d{1,2}|\d{4,})"
    return any(re.fullmatch(form, cell) for cell in cells)
