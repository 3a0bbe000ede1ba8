"""Trades as columns: what detectors work on."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.common.trade import Trade


@dataclass(frozen=True)
class Ticks:
    """Consecutive trades of one symbol's session.

    Parameters
    ----------
    event_ns
        Event times in ns since 1970 (UTC), int64, shape (n,), not falling.
    price
        float64, shape (n,).
    size
        Shares, int64, shape (n,).
    side
        The aggressor's: `A` sell, `B` buy, `N` none; str of length 1, shape (n,).
    """

    event_ns: np.ndarray
    price: np.ndarray
    size: np.ndarray
    side: np.ndarray

    def __len__(self) -> int:
        return len(self.event_ns)

    def __getitem__(self, part: slice | np.ndarray) -> "Ticks":
        return Ticks(self.event_ns[part], self.price[part], self.size[part], self.side[part])


@dataclass(frozen=True)
class TradeColumns:
    """Decoded trades of any symbols, in the order in which they came, n of each."""

    ticks: Ticks
    symbol: np.ndarray
    """str objects."""
    session: np.ndarray
    """Trading days, datetime64[D]."""
    sequence: np.ndarray
    """int64."""


def to_columns(trades: list[Trade], exchange_time_zone: str) -> TradeColumns:
    """Lay decoded trades out as columns.

    Parameters
    ----------
    trades
        As `decode_trade` gives them.
    exchange_time_zone
        Such as `America/New_York`; its calendar day is the session.
    """
    times = pl.Series([trade.timestamp for trade in trades], dtype=pl.String).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns"
    )
    days = times.dt.replace_time_zone("UTC").dt.convert_time_zone(exchange_time_zone).dt.date()
    count = len(trades)
    ticks = Ticks(
        event_ns=times.cast(pl.Int64).to_numpy(),
        price=np.fromiter((trade.price for trade in trades), np.float64, count),
        size=np.fromiter((trade.size for trade in trades), np.int64, count),
        side=np.fromiter((trade.side for trade in trades), "U1", count),
    )
    return TradeColumns(
        ticks=ticks,
        symbol=np.fromiter((trade.symbol for trade in trades), object, count),
        session=days.to_numpy().astype("datetime64[D]"),
        sequence=np.fromiter((trade.sequence for trade in trades), np.int64, count),
    )
