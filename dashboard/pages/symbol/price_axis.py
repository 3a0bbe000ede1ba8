"""The axis of the price chart: it follows the market, and leaves out the few prints that are far off it."""

from dataclasses import dataclass

import pandas as pd

from dashboard.pages.symbol.queries import Beyond, TradeSummary
from dashboard.ui.prices import PriceRange, axis_range, market_range, reaching, tick_decimals

_ROOM = 1.0
"""So many of the market's ranges beyond it a price is still drawn where it is."""
_LEAST_ROOM = 0.002
"""So is one that is no farther away than this share of the price."""

_FEW = 20
_FEW_SHARE = 0.0005
"""So many prints, or that share of all, are drawn at the edge of the axis; more of them are a market."""


@dataclass(frozen=True)
class PriceAxis:
    """What an axis shows."""

    shown: PriceRange
    decimals: int
    """Decimals of the tick."""


def market_of(trades: TradeSummary) -> PriceRange | None:
    """Return the market's range, if a price of these trades is outside.

    Parameters
    ----------
    trades
        With one bucket at least.
    """
    buckets = trades.buckets
    market = market_range(buckets["last"], buckets["high"] - buckets["low"], _ROOM, _LEAST_ROOM)
    if market is None or (market.low <= buckets["low"].min() and buckets["high"].max() <= market.high):
        return None
    return market


def are_few(beyond: Beyond, trades: int) -> bool:
    """Tell whether so few prints are outside the market's range that they do not belong to it."""
    return beyond.total <= max(_FEW, _FEW_SHARE * trades)


def with_likely(axis: PriceAxis, likely: PriceRange | None) -> PriceAxis:
    """Let an axis show the prices that mostly are not flagged, too, unless it would be far longer then."""
    return axis if likely is None else PriceAxis(reaching(axis.shown, likely), axis.decimals)


def price_axis(trades: TradeSummary, market: PriceRange | None) -> PriceAxis:
    """Return the axis that shows every price, or those of the market alone.

    Parameters
    ----------
    trades
        With one bucket at least.
    market
        The market's range; None to show every price.
    """
    prices = pd.concat([trades.buckets[name] for name in ("low", "high", "last")])
    decimals = tick_decimals(prices)
    if market is not None:
        prices = prices[~market.is_beyond(prices)]
    return PriceAxis(axis_range(prices, decimals), decimals)
