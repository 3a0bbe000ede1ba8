"""A generated day of many symbols, with moments at which the prices of several are off the market."""

import datetime as dt
from pathlib import Path

import polars as pl

from services.sources.synthetic.day import DayConfig, generate_day

DAY = DayConfig(symbols=60, trades=120_000, seed=3)
HOURS_UTC = (15, 18, 20)
"""In each of them, one moment."""

AT_MOST = 8
"""Symbols of a moment."""

OFF = 0.96
_NS_PER_S = 1_000_000_000
_TICK = 10_000_000
"""A cent, in units of 1e-9 dollar."""


def write_wide_day(path: Path) -> None:
    """Write it as Databento's CSV, times and prices as integers."""
    trades, _ = generate_day(DAY)
    trades = trades.with_row_index("row")
    rows: list[int] = []
    for hour in HOURS_UTC:
        rows += _together(trades, dt.datetime.combine(DAY.date, dt.time(hour), dt.UTC))
    price = (pl.col("price") * OFF / _TICK).round().cast(pl.Int64) * _TICK
    is_off = pl.col("row").is_in(rows)
    trades.with_columns(price=pl.when(is_off).then(price).otherwise("price")).drop("row").write_csv(path)


def _together(trades: pl.DataFrame, since: dt.datetime) -> list[int]:
    """Return the first trades of some symbols in the second, of an hour's, in which most symbols trade."""
    since_s = int(since.timestamp())
    second = pl.col("ts_event") // _NS_PER_S
    hour = trades.with_columns(second=second).filter(pl.col("second").is_between(since_s, since_s + 3599))
    (busiest,) = (
        hour.group_by("second")
        .agg(pl.col("symbol").n_unique())
        .sort("symbol", "second", descending=[True, False])["second"]
        .head(1)
    )
    firsts = hour.filter(pl.col("second") == busiest).unique("symbol", keep="first", maintain_order=True)
    return firsts["row"].head(AT_MOST).to_list()
