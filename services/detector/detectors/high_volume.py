"""High Volume: a trade larger than a fixed number of shares."""

import numpy as np

from services.common.contracts import Label
from services.detector.detectors.base import Flags, score_beyond
from services.detector.ticks import Ticks


class HighVolume:
    """Flags sizes above a threshold.

    Parameters
    ----------
    threshold_shares
        The largest size that is not flagged.
    """

    name = "high_volume"
    label = Label.HIGH_VOLUME

    def __init__(self, threshold_shares: int = 20_000) -> None:
        self._threshold_shares = threshold_shares
        self._seen_trades = 0
        self._seen_shares = 0

    def flag(self, ticks: Ticks) -> Flags:
        """See `Detector`; expected is the mean size of the session's trades before."""
        at = np.flatnonzero(ticks.size > self._threshold_shares)
        size = ticks.size[at].astype(np.float64)
        # Whole numbers, so that the sums are the same for any cut into batches.
        shares_before = self._seen_shares + np.cumsum(ticks.size)[at] - ticks.size[at]
        trades_before = self._seen_trades + at
        expected = shares_before / np.maximum(trades_before, 1)
        self._seen_trades += len(ticks)
        self._seen_shares += int(ticks.size.sum())
        reasons = [
            f"{int(shares):,} shares in one trade, above the limit of {self._threshold_shares:,}"
            + (f"; the trades of this session before it had {mean:,.0f} on average" if trades else "")
            for shares, mean, trades in zip(size, expected, trades_before, strict=True)
        ]
        return Flags(
            at=at,
            score=score_beyond(size, self._threshold_shares),
            value=size,
            expected=expected,
            threshold=np.full(len(at), float(self._threshold_shares)),
            reasons=reasons,
            contributions={"size_shares": np.ones(len(at))},
            features={"size_shares": size},
        )
