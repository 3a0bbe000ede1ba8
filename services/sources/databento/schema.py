"""Databento's schema `trades`: its columns, and how they are written."""

import polars as pl

from services.sources.encode import Encoding

REQUIRED = {
    "ts_event": pl.Int64,
    "publisher_id": pl.Int64,
    "instrument_id": pl.Int64,
    "sequence": pl.Int64,
    "symbol": pl.String,
    "price": pl.Int64,
    "size": pl.Int64,
    "side": pl.String,
}
"""Columns that a file must have; units as in `services.sources.columns`."""

OPTIONAL = {
    "ts_recv": pl.Int64,
    "rtype": pl.Int64,
    "action": pl.String,
    "depth": pl.Int64,
    "flags": pl.Int64,
    "ts_in_delta": pl.Int64,  # ns
}
"""Columns that a file may lack."""

TIMES = ("ts_event", "ts_recv")

UNDEFINED_PRICE = 2**63 - 1
UNDEFINED_TIME = 2**64 - 1
UNDEFINED_SIZE = 2**32 - 1

ENCODING = Encoding(
    source="databento",
    fields=(
        "ts_recv",
        "publisher_id",
        "instrument_id",
        "action",
        "depth",
        "flags",
        "ts_in_delta",
        "sequence",
        "rtype",
    ),
    times=("ts_recv",),
)
