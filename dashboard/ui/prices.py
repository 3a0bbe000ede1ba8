"""Prices as text, with the decimals of their tick, and the range of them that an axis shows."""

import math
from dataclasses import dataclass

import pandas as pd

_MOST_DECIMALS = 9
_MOST_FINER = 0.1
"""Share of prices that may be finer than the tick, such as those in the middle between bid and ask."""

_EXACT = 1e-10
_COMPUTED = 1e-6
"""Share of a tick by which a limit that is a price of the tick may have become another one, computed."""

_LEAST_BUCKETS = 3
"""Of fewer prices it cannot be told which one is wrong."""

_USUAL_RANGES = 8.0
"""So many of a bucket's usual range beyond the market a price still belongs to it."""
_MARGIN = 0.07
"""Room of the axis beyond the prices, as a share of their range."""
_LONGER = 4.0
"""What is worth being shown as well makes an axis at most so many times as long."""
_LEAST_TICKS = 2
"""An axis reaches so many ticks beyond the prices at least: one price alone has no range."""


@dataclass(frozen=True)
class PriceRange:
    """Prices from `low` to `high`."""

    low: float
    high: float

    def is_beyond(self, prices: pd.Series) -> pd.Series:
        """Tell of each price whether it is outside."""
        return (prices < self.low) | (prices > self.high)

    def __contains__(self, price: float) -> bool:
        return self.low <= price <= self.high

    def clip(self, prices: pd.Series) -> pd.Series:
        """Put prices that are outside at the nearer end."""
        return prices.clip(self.low, self.high)


def tick_decimals(prices: pd.Series) -> int:
    """Return how many decimals nearly all prices have, two at least, or none where all are whole numbers.

    Parameters
    ----------
    prices
        Any prices of one symbol; a few may be finer than its tick.
    """
    most = _MOST_FINER * len(prices)
    digits = (0, *range(2, _MOST_DECIMALS)) if (prices.abs() >= 1000).all() else range(2, _MOST_DECIMALS)
    for decimals in digits:
        finer = (prices - prices.round(decimals)).abs() > _EXACT
        if finer.sum() <= most:
            return decimals
    return _MOST_DECIMALS


def price_text(price: float, decimals: int) -> str:
    """Write a price with so many decimals, or with all that it has if these are more."""
    exact = f"{price:,.10g}"
    padded = f"{price:,.{decimals}f}"
    return padded if float(exact.replace(",", "")) == float(padded.replace(",", "")) else exact


def limit_text(limit: float, seen: float, decimals: int) -> str:
    """Write the farthest price that is not flagged, with so many decimals: the limit, or just before it.

    Parameters
    ----------
    limit
        As it was computed, with any decimals.
    seen
        A price that was beyond; tells which way the limit is to be exceeded.
    decimals
        Of the tick.
    """
    ticks = limit * 10.0**decimals
    last = math.floor(ticks + _COMPUTED) if seen > limit else math.ceil(ticks - _COMPUTED)
    return f"{last / 10.0**decimals:,.{decimals}f}"


def market_range(prices: pd.Series, ranges: pd.Series, room: float, least_room: float) -> PriceRange | None:
    """Return the range in which prices belong to the market, so that one bad print does not flatten all.

    A price counts once its neighbours confirm it: the range reaches from the lowest to the highest median of
    three prices in a row, and beyond by what is usual.

    Parameters
    ----------
    prices
        In order of time, n of them, such as the last one of each bucket.
    ranges
        From the lowest to the highest price of each bucket, shape (n,); 0 where each has one price.
    room
        How far beyond a price may be, in ranges of the confirmed prices.
    least_room
        How far it may be in any case, as a share of the price.

    Returns
    -------
    PriceRange or None
        None if there are too few prices to tell.
    """
    if len(prices) < _LEAST_BUCKETS:
        return None
    confirmed = prices.rolling(3).median().dropna()
    low, high = float(confirmed.min()), float(confirmed.max())
    beyond = max(
        room * (high - low),
        _USUAL_RANGES * float(ranges.median()),
        least_room * abs(float(confirmed.median())),
    )
    return PriceRange(low - beyond, high + beyond)


def axis_range(prices: pd.Series, decimals: int) -> PriceRange:
    """Return the range of an axis that shows all these prices, one at least, and has some room beyond."""
    low, high = float(prices.min()), float(prices.max())
    margin = max(_MARGIN * (high - low), _LEAST_TICKS * 10.0**-decimals)
    return PriceRange(low - margin, high + margin)


def reaching(shown: PriceRange, other: PriceRange) -> PriceRange:
    """Let an axis show another range as well, unless that would flatten the prices."""
    low, high = min(shown.low, other.low), max(shown.high, other.high)
    return PriceRange(low, high) if high - low <= _LONGER * (shown.high - shown.low) else shown
