"""Rapid Price Change: a price far from that of the trade before."""

import numpy as np

from services.common.contracts import Label
from services.detector.detectors.base import Flags, score_beyond
from services.detector.ticks import Ticks


class RapidPriceChange:
    """Flags relative price changes between consecutive trades above a threshold.

    Parameters
    ----------
    threshold_ratio
        The largest change, as a share of the price before, that is not flagged; 0.05 is 5 %.
    """

    name = "rapid_price_change"
    label = Label.RAPID_PRICE_CHANGE

    def __init__(self, threshold_ratio: float = 0.05) -> None:
        self._threshold_ratio = threshold_ratio
        self._last_price = np.nan

    def flag(self, ticks: Ticks) -> Flags:
        """See `Detector`; value and threshold are ratios, and no change is expected."""
        before = np.concatenate(([self._last_price], ticks.price[:-1]))
        change = price_change(ticks.price, before)
        at = np.flatnonzero(np.abs(change) > self._threshold_ratio)
        self._last_price = ticks.price[-1]
        reasons = [
            f"price {price:,.10g} is {abs(ratio):.2%} {'above' if ratio > 0 else 'below'} the {last:,.10g} "
            f"of the trade before, more than the limit of {self._threshold_ratio:.2%}"
            for price, last, ratio in zip(ticks.price[at], before[at], change[at], strict=True)
        ]
        return Flags(
            at=at,
            score=score_beyond(np.abs(change[at]), self._threshold_ratio),
            value=change[at],
            expected=np.zeros(len(at)),
            threshold=np.full(len(at), self._threshold_ratio),
            reasons=reasons,
            contributions={"price_change": np.ones(len(at))},
            features={"price_change": change[at]},
        )


def price_change(price: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the change as a share of the price before; 0 where there is none or it was 0."""
    known = np.isfinite(before) & (before != 0)
    return np.divide(price - before, np.abs(before), out=np.zeros(len(price)), where=known)
