"""Parquet files: whether they are whole, and their rows batch by batch."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError

MAGIC = b"PAR1"
BATCH_ROWS = 1 << 17


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
                f"{path} is compressed Parquet, which is not supported.",
                "Unpack it: Parquet is compressed within itself.",
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


def read_batches(path: Path, names: list[str]) -> Iterator[tuple[pl.DataFrame, float]]:
    """Yield a file's rows, with the share of the file that they reach to.

    Parameters
    ----------
    path
        The file.
    names
        The columns to read; before them comes `line`, the number of the row, from 1.

    Raises
    ------
    TapewatchError
        The file is damaged.
    """
    scan = pl.scan_parquet(path)
    rows_total = scan.select(pl.len()).collect().item()
    row = 0
    try:
        for batch in scan.select(names).collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
            cells = batch.with_row_index("line", row + 1).cast({"line": pl.Int64})
            row += len(batch)
            yield cells, row / max(rows_total, 1)
    except pl.exceptions.PolarsError as error:
        raise TapewatchError(
            f"{path} cannot be read beyond row {row}: {error}.", "Fetch or write the file again."
        ) from error
