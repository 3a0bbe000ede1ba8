"""Text files of any layout, read as a mapping says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources.cells import fields_of, separator_of, split
from services.sources.compression import first_bytes
from services.sources.dialect import dialect_of
from services.sources.file import FileSource, Rows
from services.sources.lines import read_lines, rejected_rows
from services.sources.mapped.convert import Converter
from services.sources.mapped.mapping import Mapping

HEAD_BYTES = 1 << 16


class MappedCsv(FileSource):
    """One text file with a column for each of a trade's fields.

    Parameters
    ----------
    path
        The file.
    mapping
        What stands where in it.

    Raises
    ------
    TapewatchError
        The file lacks a column that the mapping names.
    """

    def __init__(self, path: Path, mapping: Mapping) -> None:
        super().__init__(path)
        self._dialect = dialect_of(first_bytes(path, HEAD_BYTES), ())
        is_comma = self._dialect.decimal_comma and mapping.has_header
        self.mapping = replace(mapping, decimal_comma=True) if is_comma else mapping
        first_line = self._dialect.header
        self._separator = mapping.separator or separator_of(first_line)
        names = fields_of(first_line, self._separator)
        if not mapping.has_header:
            names = [f"#{number}" for number in range(1, len(names) + 1)]
        check_columns(path, names, mapping.columns)
        # Only the first column of a name can be meant; the others get names that no mapping has.
        self._names = [name if names.index(name) == at else f"\n{at}" for at, name in enumerate(names)]
        self.encoding = Converter(mapping).encoding

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`."""
        converter = Converter(self.mapping)
        lines = read_lines(
            self.path,
            keep_unended=True,
            encoding=self._dialect.encoding,
            line_end=self._dialect.line_end,
            header_lines=self._dialect.header_line if self.mapping.has_header else 0,
        )
        for text, rejected, position_bytes, unended in lines:
            is_row = ~text["raw"].str.contains(r"^\s*(#.*)?$")
            cells, misfits = split(text.filter(is_row), self._names, self._separator)
            bad = [*rejected, *misfits]
            if unended is not None and self._names[-1] in self.mapping.columns:
                # What was cut off inside its last number is a number, too.
                cells = cells.filter(pl.col("line") != unended.line)
                bad = [row for row in bad if row.line != unended.line]
                bad.append(unended)
            trades, reasons = converter.convert(cells)
            bad += rejected_rows(reasons, text)
            yield Rows(trades, sorted(bad, key=lambda row: row.line), position_bytes)


def head_lines(path: Path) -> list[str]:
    """Return up to a hundred lines of a text file from its header on, at least one."""
    beginning = first_bytes(path, HEAD_BYTES)
    dialect = dialect_of(beginning, ())
    text = beginning.decode(dialect.encoding, "replace").removeprefix("\ufeff")
    return text.splitlines()[dialect.header_line - 1 :][:100] or [""]


def check_columns(path: Path, names: list[str], needed: list[str]) -> None:
    """Check that a file has the columns that a mapping names.

    Raises
    ------
    TapewatchError
        Some are missing.
    """
    missing = [name for name in needed if name not in names]
    if missing:
        raise TapewatchError(
            f"{path} has no column {', '.join(map(repr, missing))}, which the mapping names.",
            f"Its columns are {', '.join(names[:30])}{' …' if len(names) > 30 else ''}.",
        )
