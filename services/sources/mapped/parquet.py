"""Parquet files: of exported trades, with columns of our own names, with Databento's, or by a mapping."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.databento.parquet import DatabentoParquet
from services.sources.databento.schema import REQUIRED
from services.sources.exported.source import Exported, is_exported
from services.sources.file import FileSource, Rows
from services.sources.mapped.convert import Converter
from services.sources.mapped.csv import check_columns
from services.sources.mapped.mapping import Mapping, mapping_of
from services.sources.parquet import parquet_schema, read_batches

OWN_NAMES = {
    "time": ("ts_event", "@timestamp", "timestamp", "time"),
    "symbol": ("symbol",),
    "price": ("price",),
    "size": ("size",),
    "side": ("side",),
    "sequence": ("sequence",),
    "id": ("trade_id", "id"),
    "venue": ("venue",),
}
"""Names by which a file needs no mapping, the first that it has of each."""


class MappedParquet(FileSource):
    """One Parquet file.

    Parameters
    ----------
    path
        The file.
    mapping
        What stands where in it; None for columns of our own names.

    Raises
    ------
    TapewatchError
        It cannot be read, or lacks a column.
    """

    def __init__(self, path: Path, mapping: Mapping | None = None) -> None:
        super().__init__(path)
        names = list(parquet_schema(path))
        self.mapping = mapping or own_mapping(path, names)
        check_columns(path, names, self.mapping.columns)
        self.encoding = Converter(self.mapping).encoding

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`; `line` is the number of the row, the first being 1."""
        converter = Converter(self.mapping)
        for cells, share in read_batches(self.path, self.mapping.columns):
            trades, reasons = converter.convert(cells)
            raw = reasons.join(cells, on="line", how="left", maintain_order="left")
            rejected = [
                RejectedRow(line, json.dumps(cell, default=str).encode(), reason)
                for cell in raw.iter_rows(named=True)
                for line, reason in [(cell.pop("line"), cell.pop("reason"))]
            ]
            yield Rows(trades, rejected, int(self.size * share))


def open_parquet(path: Path) -> FileSource:
    """Open a file by its columns: of exported trades, Databento's, else of our own names.

    Raises
    ------
    TapewatchError
        It cannot be read, or has others.
    """
    schema = parquet_schema(path)
    if is_exported(schema):
        return Exported(path)
    if REQUIRED.keys() <= schema.keys():
        return DatabentoParquet(path)
    return MappedParquet(path)


def own_mapping(path: Path, names: list[str]) -> Mapping:
    """Return the mapping of a file with our own names.

    Raises
    ------
    TapewatchError
        It has others.
    """
    found = {key: next((name for name in own if name in names), "-") for key, own in OWN_NAMES.items()}
    missing = [key for key in ("time", "symbol", "price", "size") if found[key] == "-"]
    if missing:
        raise TapewatchError(
            f"{path} has no column that is named as {' or '.join(missing)} of a trade.",
            f"Say with --map which of its columns is what; `tapewatch inspect {path}` proposes it.",
        )
    return replace(mapping_of(found, str(path)), has_whole_ids=found["id"] == "trade_id")
