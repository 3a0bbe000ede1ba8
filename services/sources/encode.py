"""Trades as the JSON of the topic and of the Elasticsearch document, written by columns.

The text is the shortest exact one, so the same trade gives the same bytes from every file format.
"""

from dataclasses import dataclass

import polars as pl

from services.sources.columns import PRICE_SCALE


@dataclass(frozen=True)
class Encoding:
    """How a source's trades are written.

    Parameters
    ----------
    source
        What the field `source` says; None where `fields` have it as a column.
    fields
        Columns that become fields of the trade, after those that every trade has, in this order; columns that
        a file lacks are left out, as are nulls. Text and lists of it are `PLAIN_TEXT`; a list has at least
        one item. The mapping of the index has to know the fields.
    times
        Those of them that are ns since 1970, to be written as ISO 8601.
    extra
        Columns of any type for the object `extra`, which takes any name.
    as_json
        Those of `fields` whose text is JSON already.
    """

    source: str | None
    fields: tuple[str, ...] = ("sequence",)
    times: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    as_json: tuple[str, ...] = ()


def to_json(trades: pl.DataFrame, encoding: Encoding) -> list[bytes]:
    """Write each trade as one line of JSON.

    Parameters
    ----------
    trades
        As in `Chunk`, n rows.
    encoding
        How to write it.
    """
    parts: list[pl.Expr | str] = [
        '{"@timestamp":"',
        _iso("ts_event"),
        '","trade_id":"',
        pl.col("trade_id"),
        '","symbol":"',
        pl.col("symbol"),
        '","price":',
        _price(trades["price"]),
        ',"size":',
        _size(trades.schema["size"]),
        ',"side":"',
        pl.col("side"),
        '"' if encoding.source is None else f'","source":"{encoding.source}"',
    ]
    for name in encoding.fields:
        if name in trades.columns:
            parts += _field(name, trades[name], name in encoding.times, name in encoding.as_json)
    if encoding.extra:
        parts += [',"extra":', pl.struct(encoding.extra).struct.json_encode()]
    parts.append("}")
    text = pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])
    return trades.select(text.cast(pl.Binary)).to_series().to_list()


def _field(name: str, values: pl.Series, is_time: bool, is_json: bool) -> list[pl.Expr | str]:
    """Write a field, with its comma before it; nothing where its value is null."""
    text: list[pl.Expr | str]
    if is_time:
        text = [f',"{name}":"', _iso(name), '"']
    elif values.dtype == pl.String and not is_json:
        text = [f',"{name}":"', pl.col(name), '"']
    elif isinstance(values.dtype, pl.List):
        text = [f',"{name}":["', pl.col(name).list.join('","'), '"]']
    else:
        text = [f',"{name}":', pl.col(name).cast(pl.String)]
    if values.null_count() == 0:
        return text
    whole = pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in text])
    return [pl.when(pl.col(name).is_null()).then(pl.lit("")).otherwise(whole)]


def _iso(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Datetime("ns")).dt.to_string("%Y-%m-%dT%H:%M:%S%.9fZ")


def _size(kind: pl.DataType) -> pl.Expr:
    """Write a size as the shortest exact decimal number: a whole one as an integer."""
    if not isinstance(kind, pl.Decimal):
        return pl.col("size")
    return pl.col("size").cast(pl.String).str.replace(r"\.0+$|(\.\d*[1-9])0+$", "${1}")


def _price(prices: pl.Series) -> pl.Expr:
    """Write prices as exact decimal numbers with at least one digit after the point.

    They are integers of 1e-9, or decimals of the prices themselves. Many are the same: each is written once.
    """
    distinct = prices.unique()
    return pl.lit(
        prices.replace_strict(
            distinct, distinct.to_frame("price").select(_price_text(prices.dtype)).to_series()
        )
    )


def _price_text(kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, pl.Decimal):
        return pl.col("price").cast(pl.String).str.replace(r"(\.\d+?)0+$", "${1}")
    # Without a sign: the least price has no positive counterpart of 64 bits with one.
    magnitude = pl.col("price").abs().reinterpret(signed=False)
    return pl.concat_str(
        pl.when(pl.col("price") < 0).then(pl.lit("-")).otherwise(pl.lit("")),
        magnitude // PRICE_SCALE,
        pl.lit("."),
        (magnitude % PRICE_SCALE).cast(pl.String).str.zfill(9).str.replace("0{1,8}$", ""),
    )
