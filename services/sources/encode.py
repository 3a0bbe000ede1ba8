"""Trades as the JSON of the topic and of the Elasticsearch document, written by columns.

The text is the shortest exact one, so the same trade gives the same bytes from every file format.
"""

import polars as pl

from services.sources.base import OPTIONAL, PRICE_SCALE, TIMES

SOURCE = "databento"
ORDER = (
    "ts_recv",
    "publisher_id",
    "instrument_id",
    "action",
    "depth",
    "flags",
    "ts_in_delta",
    "sequence",
    "rtype",
)
"""Databento's other columns, after the fields that every source's trades have."""


def to_json(trades: pl.DataFrame, trade_ids: pl.Series) -> list[bytes]:
    """Write each trade as one line of JSON.

    Parameters
    ----------
    trades
        As in `rows.Chunk`, n rows.
    trade_ids
        Their ids, String, n values.
    """
    columns = trades.with_columns(trade_ids.alias("trade_id"))
    parts: list[pl.Expr | str] = [
        '{"@timestamp":"',
        _iso("ts_event"),
        '","trade_id":"',
        pl.col("trade_id"),
        '","symbol":"',
        pl.col("symbol"),
        '","price":',
        _decimal("price"),
        ',"size":',
        pl.col("size"),
        ',"side":"',
        pl.col("side"),
        f'","source":"{SOURCE}"',
    ]
    for name in ORDER:
        if name not in trades.columns:
            continue
        if name in TIMES:
            parts += [f',"{name}":"', _iso(name), '"']
        elif OPTIONAL.get(name) == pl.String:
            parts += [f',"{name}":"', pl.col(name), '"']
        else:
            parts += [f',"{name}":', pl.col(name)]
    parts.append("}")
    text = pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])
    return columns.select(text.cast(pl.Binary)).to_series().to_list()


def _iso(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Datetime("ns")).dt.to_string("%Y-%m-%dT%H:%M:%S%.9fZ")


def _decimal(name: str) -> pl.Expr:
    """Write an integer of 1e-9 as an exact decimal number with at least one digit after the point."""
    magnitude = pl.col(name).abs()
    return pl.concat_str(
        pl.when(pl.col(name) < 0).then(pl.lit("-")).otherwise(pl.lit("")),
        magnitude // PRICE_SCALE,
        pl.lit("."),
        (magnitude % PRICE_SCALE).cast(pl.String).str.zfill(9).str.replace("0{1,8}$", ""),
    )
