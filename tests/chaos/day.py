"""The day that is replayed, and the results of an undisturbed run."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from infra.embedded.stack import EmbeddedStack
from services.common.errors import TapewatchError
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig, generate_day
from tests.chaos.verify import Trade
from tests.integration.pipeline import tapewatch

NIGHT = dt.date(2026, 3, 31)
LATER = dt.timedelta(hours=10)
"""Time shift from New York's day into its night, so that the day spans midnight there."""

ROWS_PER_LATE_TRADE = 400
LATE_BY_ROWS = 200
NEW_YORK = "America/New_York"


@dataclass(frozen=True)
class Day:
    """A file of trades.

    Parameters
    ----------
    path
        The file.
    trades
        All of them, in its order, as the producer writes them.
    event_ns
        The time until which each waits, int64, shape (n,), not falling.
    late_trades
        How many come after a later one of their session: they are not judged.
    """

    path: Path
    trades: list[Trade]
    event_ns: np.ndarray
    late_trades: int


def write_night(path: Path, trades: int) -> None:
    """Write a generated day, moved into the night of two months, with some trades out of order.

    So each symbol has two sessions and its trades are in two indices of either kind, with no quiet hours
    between; and what must be remembered includes how far each session had come.

    Parameters
    ----------
    path
        File for the trades, plain CSV.
    trades
        How many, about.
    """
    rows, _ = generate_day(DayConfig(date=NIGHT, trades=trades))
    later_ns = LATER // dt.timedelta(microseconds=1) * 1_000
    number = pl.int_range(pl.len())
    is_late = number % ROWS_PER_LATE_TRADE == ROWS_PER_LATE_TRADE - 1
    rows.with_columns(pl.col("ts_event", "ts_recv") + later_ns).sort(
        number + pl.when(is_late).then(LATE_BY_ROWS).otherwise(0), maintain_order=True
    ).write_csv(path)


def read_day(path: Path) -> Day:
    """Read a file as the producer does.

    Raises
    ------
    TapewatchError
        The file is not trades, or has rows that are not, or a trade twice: what a run should leave is not
        known then.
    """
    trades: list[Trade] = []
    times: list[np.ndarray] = []
    newest: dict[tuple[str, dt.date], tuple[int, int]] = {}
    late_trades = 0
    rejected = 0
    source = open_source(path)
    for chunk in source.chunks():
        values = source.to_json(chunk.trades)
        trades += map(Trade, chunk.trades["trade_id"].to_list(), chunk.trades["symbol"].to_list(), values)
        times.append(chunk.trades["ts_event"].to_numpy())
        rejected += len(chunk.rejected)
        event_times = pl.from_epoch("ts_event", time_unit="ns").dt.replace_time_zone("UTC")
        day = event_times.dt.convert_time_zone(NEW_YORK).dt.date().alias("day")
        for symbol, on, *place in chunk.trades.select("symbol", day, "ts_event", "sequence").iter_rows():
            if tuple(place) > newest.get((symbol, on), (-1, -1)):
                newest[symbol, on] = tuple(place)
            else:
                late_trades += 1
    if rejected or len({trade.trade_id for trade in trades}) < len(trades):
        raise TapewatchError(f"{path} has bad rows, or a trade twice.", "Choose a clean day.")
    return Day(path, trades, np.maximum.accumulate(np.concatenate(times)), late_trades)


def reference_anomalies(stack: EmbeddedStack, day: Day, output: Path) -> dict[str, dict[str, Any]]:
    """Return a backtest's anomalies by `trade_id`; `output` keeps them."""
    tapewatch(stack, "backtest", str(day.path), "--output", str(output))
    lines = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    return {line["trade_id"]: line for line in lines}
