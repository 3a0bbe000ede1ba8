"""The columns in which every source hands over its trades."""

import polars as pl

COLUMNS = {
    "line": pl.Int64,  # orders the source's rows, rejected ones included: a file's line, a stream's message
    "ts_event": pl.Int64,  # ns since 1970, UTC
    "trade_id": pl.String,  # the same however often and from wherever the trade is read
    "symbol": pl.String,
    "price": pl.Int64,  # units of 1e-9
    "size": pl.Int64,  # shares or contracts, not negative
    "side": pl.String,  # one of `SIDES`
    "sequence": pl.Int64,  # the venue's number, or another that rises with prints of one symbol and time
}
"""Columns that every trade has, without nulls; a source may have more. Text is `PLAIN_TEXT`."""

TRADE_FIELDS = {
    "venue": pl.String,
    "tape": pl.String,
    "conditions": pl.List(pl.String),
    "conditions_raw": pl.List(pl.String),
    "price_eligible": pl.Boolean,
    "anchor_eligible": pl.Boolean,
    "volume_eligible": pl.Boolean,
    "tape_time": pl.Int64,  # ns since 1970, UTC
    "kind": pl.String,
}
"""Further fields that a source of any kind may give, in the order in which they are written; null where the
default holds."""

PRICE_SCALE = 1_000_000_000
"""A price of 1.0 as an integer."""

SIDES = ("A", "B", "N")
"""The aggressor's side: sell, buy, none."""

PLAIN_TEXT = r'^[^"\\\x00-\x1f]{1,256}$'
"""Text that may stand in JSON as it is."""
