"""Trades as columns: the input of detectors."""

from dataclasses import dataclass, replace
from functools import cached_property

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
        The session's clock in ns since 1970 (UTC), int64: a print's own time, but for late ones. It falls
        only where a wrong stamp had moved it ahead.
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
    stamp_ns
        The prints' own times, int64; by default `event_ns`.
    recv_ns
        When they were received, int64; 0, which is the default, where that is not known.
    lane
        A number for the publisher or venue of each, int64; by default 0 for all.
    high, low
        The bars' highest and lowest prices, float64; not a number, which is the default, for trades and where
        they are not known.
    """

    slot: np.ndarray
    event_ns: np.ndarray
    price: np.ndarray
    size: np.ndarray
    side: np.ndarray
    eligible: np.ndarray
    measures: np.ndarray | None = None
    stamp_ns: np.ndarray = None  # type: ignore[assignment] # set below
    recv_ns: np.ndarray = None  # type: ignore[assignment]
    lane: np.ndarray = None  # type: ignore[assignment]
    high: np.ndarray = None  # type: ignore[assignment]
    low: np.ndarray = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.stamp_ns is None:
            object.__setattr__(self, "stamp_ns", self.event_ns)
        if self.recv_ns is None:
            object.__setattr__(self, "recv_ns", np.zeros(len(self.slot), np.int64))
        if self.lane is None:
            object.__setattr__(self, "lane", np.zeros(len(self.slot), np.int64))
        for name in ("high", "low"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.full(len(self.slot), np.nan))

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
            self.stamp_ns[part],
            self.recv_ns[part],
            self.lane[part],
            self.high[part],
            self.low[part],
        )

    @property
    def prints(self) -> tuple[np.ndarray, "Batch"]:
        """The places of what is a print and eligible for anything, int64, and these prints."""
        places, some = self._prints
        return places, self if some is None else some

    @cached_property
    def _prints(self) -> tuple[np.ndarray, "Batch | None"]:
        """The same; None where all are, as a batch that kept itself would be freed late."""
        is_taken = (self.eligible & (PRICE_ELIGIBLE | VOLUME_ELIGIBLE) != 0) & (self.eligible & BAR == 0)
        places = np.flatnonzero(is_taken)
        return places, None if len(places) == len(self) else self[places]

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
