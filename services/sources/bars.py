"""Bars as CSV: `symbol,timestamp,open,high,low,close,volume`, perhaps with a column `anomaly`.

A bar is one print at its end: `price` is its close, `size` its volume.
"""

from pathlib import Path

from services.sources.cells import fields_of, separator_of
from services.sources.mapped.csv import MappedCsv, head_lines
from services.sources.mapped.mapping import mapping_of

NAMES = {
    "time": ("timestamp", "time", "datetime", "date"),
    "symbol": ("symbol", "ticker"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "price": ("close",),
    "size": ("volume",),
    "extra": ("anomaly",),
}
"""Names of columns, in small letters; the first that the file has of each counts."""


class Bars(MappedCsv):
    """One file of bars.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    TapewatchError
        It lacks a column.
    """

    def __init__(self, path: Path) -> None:
        first_line = head_lines(path)[0]
        own = {name.lower(): name for name in reversed(fields_of(first_line, separator_of(first_line)))}
        columns = {
            key: next((own[name] for name in names if name in own), "-") for key, names in NAMES.items()
        }
        super().__init__(path, mapping_of(columns | {"kind": "bar", "source": "bars"}, str(path)))
