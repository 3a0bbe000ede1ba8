"""Converts decoded trades to columns."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.contracts.trade import Trade
from services.detector.engine.batch import SIDE_CODES

DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True)
class TradeColumns:
    """Trades of any symbols, in the order in which they came; n of each column.

    Parameters
    ----------
    symbol
        Their symbols.
    day
        Trading days, days since 1970, int64.
    event_ns, price, size, side
        As in `Batch`.
    sequence
        The venue's numbers, int64.
    """

    symbol: list[str]
    day: np.ndarray
    event_ns: np.ndarray
    price: np.ndarray
    size: np.ndarray
    side: np.ndarray
    sequence: np.ndarray

    def __len__(self) -> int:
        return len(self.symbol)


def to_columns(trades: list[Trade], time_zone: str) -> TradeColumns:
    """Convert decoded trades to columns; the trading day is the calendar day in `time_zone`."""
    count = len(trades)
    times = pl.Series([trade.timestamp for trade in trades], dtype=pl.String).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns"
    )
    event_ns = times.cast(pl.Int64).to_numpy()
    return TradeColumns(
        symbol=[trade.symbol for trade in trades],
        day=trading_days(event_ns, time_zone),
        event_ns=event_ns,
        price=np.fromiter((trade.price for trade in trades), np.float64, count),
        size=np.fromiter((trade.size for trade in trades), np.float64, count),
        side=np.fromiter((SIDE_CODES[trade.side] for trade in trades), np.int64, count),
        sequence=np.fromiter((trade.sequence for trade in trades), np.int64, count),
    )


def trading_days(event_ns: np.ndarray, time_zone: str) -> np.ndarray:
    """Return the calendar days in a time zone, as days since 1970, int64, shape (n,)."""
    times = pl.Series(event_ns).cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(time_zone)
    return times.dt.date().cast(pl.Int32).cast(pl.Int64).to_numpy()
