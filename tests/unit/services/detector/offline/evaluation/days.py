"""Generated days for the evaluation's tests."""

import datetime as dt
from functools import cache

import polars as pl

from services.sources.columns import COLUMNS
from services.sources.synthetic.day import DayConfig, generate_day

DAY = dt.date(2026, 3, 2)


@cache
def generated_day(trades: int = 20_000, symbols: int = 2, anomaly_rate: float = 0.0) -> pl.DataFrame:
    """Return a natural day as the sources yield it."""
    day, _ = generate_day(
        DayConfig(date=DAY, seed=3, trades=trades, symbols=symbols, anomaly_rate=anomaly_rate)
    )
    return day.select(
        pl.int_range(2, len(day) + 2, dtype=pl.Int64).alias("line"),
        *(pl.col(name).cast(kind) for name, kind in COLUMNS.items() if name in day.columns),
    )
