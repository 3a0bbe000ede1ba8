"""Trades as columns: the input of detectors."""

from dataclasses import dataclass, replace

import numpy as np

SIDE_CODES = {"A": 65, "B": 66, "N": 78}
"""Number of the aggressor's side: sell, buy, not known."""

PRICE_ELIGIBLE, ANCHOR_ELIGIBLE, VOLUME_ELIGIBLE, BAR = 1, 2, 4, 8
"""What a trade may be used for, as bits; see `Trade`."""

FULLY_ELIGIBLE = PRICE_ELIGIBLE | ANCHOR_ELIGIBLE | VOLUME_ELIGIBLE
"""A usual trade."""


@dataclass(frozen=True)
class Batch:
    """Consecutive trades of any sessions, each session's in order; n of each column.

    Parameters
    ----------
    slot
        Which session each trade belongs to: the number that `Detector.open` was given, int64.
    event_ns
        Event times in ns since 1970 (UTC), int64; not falling within a session.
    price
        float64.
    size
        Shares, contracts or coins, not negative, float64; whole numbers are exact up to 2**53.
    side
        One of `SIDE_CODES`, int64.
    eligible
        The bits above, int64.
    measures
        Input of the calibrated detectors, `detectors.core.state.MEASURES`; None until measured.
    """

    slot: np.ndarray
    event_ns: np.ndarray
    price: np.ndarray
    size: np.ndarray
    side: np.ndarray
    eligible: np.ndarray
    measures: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.slot)

    def __getitem__(self, part: slice | np.ndarray) -> "Batch":
        return Batch(
            self.slot[part],
            self.event_ns[part],
            self.price[part],
            self.size[part],
            self.side[part],
            self.eligible[part],
            None if self.measures is None else self.measures[part],
        )

    def has(self, bits: int) -> np.ndarray:
        """Tell of each trade whether it has all these bits, bool, shape (n,)."""
        has_all: np.ndarray = self.eligible & bits == bits
        return has_all

    def measured(self) -> np.ndarray:
        """Return the measures; raises ValueError if the batch has none."""
        if self.measures is None:
            raise ValueError("the batch has no measures: call `FeatureWalk.advance` first")
        return self.measures

    def with_measures(self, measures: np.ndarray) -> "Batch":
        """Return the same trades with measures, shape (n,)."""
        return replace(self, measures=measures)


@dataclass(frozen=True)
class SessionKey:
    """A symbol's trading day.

    Parameters
    ----------
    symbol
        The symbol.
    day
        `YYYY-MM-DD` in the exchange's time zone; empty for an endless session.
    """

    symbol: str
    day: str
