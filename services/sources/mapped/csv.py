"""Text files of any layout, read as a mapping says."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.cells import fields_of, separator_of, split
from services.sources.compression import first_bytes
from services.sources.file import FileSource, Rows
from services.sources.lines import read_lines
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
        self.mapping = mapping
        first_line = head_lines(path)[0]
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
        lines = read_lines(self.path, keep_unended=True, header_lines=int(self.mapping.has_header))
        for text, rejected, position_bytes, unended in lines:
            cells, misfits = split(text, self._names, self._separator)
            bad = [*rejected, *misfits]
            if unended is not None and self._names[-1] in self.mapping.columns:
                # What was cut off inside its last number is a number, too.
                cells = cells.filter(pl.col("line") != unended.line)
                bad = [row for row in bad if row.line != unended.line]
                bad.append(unended)
            trades, reasons = converter.convert(cells)
            raw = reasons.join(text, on="line", how="left", maintain_order="left")
            bad += [RejectedRow(line, row.encode(), reason) for line, reason, row in raw.iter_rows()]
            yield Rows(trades, sorted(bad, key=lambda row: row.line), position_bytes)


def head_lines(path: Path) -> list[str]:
    """Return the first lines of a text file, at least one, without byte order mark."""
    text = first_bytes(path, HEAD_BYTES).decode("utf-8", "replace").lstrip("\ufeff")
    return text.splitlines()[:100] or [""]


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
