"""Parquet files: with columns of our own names, with Databento's, or of any layout by a mapping."""

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.file import FileSource, Rows
from services.sources.mapped.convert import Converter
from services.sources.mapped.csv import check_columns
from services.sources.mapped.mapping import Mapping, mapping_of

MAGIC = b"PAR1"
CHUNK_ROWS = 1 << 17
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
        self.columns = parquet_schema(path)
        self.mapping = mapping or own_mapping(path, list(self.columns))
        check_columns(path, list(self.columns), self.mapping.columns)
        self.encoding = Converter(self.mapping).encoding

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`; `line` is the number of the row, the first being 1."""
        converter = Converter(self.mapping)
        scan = pl.scan_parquet(self.path).select(self.mapping.columns)
        rows_total = pl.scan_parquet(self.path).select(pl.len()).collect().item()
        row = 1
        try:
            for batch in scan.collect_batches(chunk_size=CHUNK_ROWS, maintain_order=True):
                cells = batch.with_row_index("line", row).cast({"line": pl.Int64})
                row += len(batch)
                trades, reasons = converter.convert(cells)
                raw = reasons.join(cells, on="line", how="left", maintain_order="left")
                rejected = [
                    RejectedRow(line, json.dumps(cell, default=str).encode(), reason)
                    for cell in raw.iter_rows(named=True)
                    for line, reason in [(cell.pop("line"), cell.pop("reason"))]
                ]
                yield Rows(trades, rejected, int(self.size * (row - 1) / max(rows_total, 1)))
        except pl.exceptions.PolarsError as error:
            raise TapewatchError(
                f"{self.path} cannot be read beyond row {row - 1}: {error}.", "Fetch or write the file again."
            ) from error


def parquet_schema(path: Path) -> dict[str, pl.DataType]:
    """Return a file's columns and their types.

    Raises
    ------
    TapewatchError
        It is not a whole Parquet file.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise TapewatchError(
                f"{path} is a Parquet file that was compressed again.",
                "Unpack it first: Parquet is compressed inside.",
            )
        file.seek(-len(MAGIC), 2)
        if file.read() != MAGIC:
            raise TapewatchError(
                f"{path} is truncated: a Parquet file ends with its index, and this one does not.",
                "Fetch the file again.",
            )
    try:
        return dict(pl.scan_parquet(path).collect_schema())
    except pl.exceptions.PolarsError as error:
        raise TapewatchError(
            f"{path} cannot be read as Parquet: {error}.", "Fetch or write the file again."
        ) from error


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
    return mapping_of(found, str(path))
