"""Databento's trades as Parquet, with the columns of its frames (`to_df`) or of `to_parquet`."""

import json
from collections.abc import Iterator

import polars as pl

from services.sources.base import RejectedRow
from services.sources.columns import PLAIN_TEXT, SIDES
from services.sources.databento.schema import ENCODING, OPTIONAL, REQUIRED, TIMES, UNDEFINED_PRICE
from services.sources.databento.trade_ids import TradeIds
from services.sources.file import FileSource, Rows
from services.sources.parquet import read_batches
from services.sources.values import numbers, prices, sizes


class DatabentoParquet(FileSource):
    """One Parquet file with Databento's columns.

    Parameters
    ----------
    path
        The file, with all columns of `REQUIRED`.
    """

    encoding = ENCODING

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`; `line` is the number of the row, the first being 1."""
        ids = TradeIds()
        names = [name for name in REQUIRED | OPTIONAL if name in pl.read_parquet_schema(self.path)]
        for cells, share in read_batches(self.path, names):
            typed = cells.select("line", *(_typed(cells[name]) for name in names))
            is_bad = typed.select(pl.any_horizontal(pl.all().is_null())).to_series()
            rejected = [
                RejectedRow(cell["line"], json.dumps(cell, default=str).encode(), f"{fault} cannot be read")
                for cell, row in zip(
                    cells.filter(is_bad).iter_rows(named=True),
                    typed.filter(is_bad).iter_rows(named=True),
                    strict=True,
                )
                for fault in [next(name for name in names if row[name] is None)]
            ]
            trades = typed.filter(~is_bad)
            trades = trades.with_columns(trade_id=ids.name(trades))
            yield Rows(trades, rejected, int(self.size * share))


def _typed(values: pl.Series) -> pl.Series:
    """Convert one column, with null where a value is not what it should be."""
    name = values.name
    if name in TIMES:
        nanos = values.dt.epoch("ns") if values.dtype.is_temporal() else values.cast(pl.Int64, strict=False)
        return nanos.set(nanos < 0, None)
    if name == "price":
        if values.dtype.is_integer():  # units of 1e-9, as in DBN
            nanos = values.cast(pl.Int64, strict=False)
            return nanos.set(nanos == UNDEFINED_PRICE, None)
        return prices(numbers(values))
    if name == "size":
        return sizes(numbers(values))
    if (REQUIRED | OPTIONAL)[name] == pl.Int64:
        return values.cast(pl.Int64, strict=False)
    text = values.cast(pl.String)
    is_valid = text.is_in(SIDES) if name == "side" else text.str.contains(PLAIN_TEXT)
    return text.set(~is_valid.fill_null(value=False), None)
