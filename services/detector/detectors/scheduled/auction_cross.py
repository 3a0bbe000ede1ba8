"""Auction Cross: the print of an opening or closing auction, very large and expected.

The time of day explains its size, and never its price: away from the market, it is an Off-Market Price.
"""

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.trade import size_text
from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import CalibratedDetector
from services.detector.detectors.core.explain import FEATURES, features_of
from services.detector.detectors.core.state import CROSS_AWAY, HIDDEN, NATURAL_CROSS, SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.parameters import Parameters
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

CRITICAL = 3.0 * ALERT
"""Evidence of a critical anomaly."""


class AuctionCrossParameters(Parameters):
    """Parameters of Auction Cross."""

    least_ratio: float = Field(30.0, gt=1, description="least size of a cross, in mean sizes")
    window_s: float = Field(60.0, gt=0, description="how long after the auction's time its prints may come")
    away_share: float = Field(
        0.005, gt=0, description="distance beyond the recent prices, as their share, from which it is away"
    )
    halt_s: float = Field(
        60.0, gt=0, description="time without a trade after which such a print reopens the market"
    )


class AuctionCross(CalibratedDetector):
    """Labels a very large print without a side just after an auction's time, so that it raises no alert."""

    name = "auction_cross"
    parameters = AuctionCrossParameters

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; the score is 0, as the trade is not anomalous. Value and expected are shares."""
        measures = batch.measured()
        at = np.flatnonzero(measures["is_cross"] == NATURAL_CROSS)
        found = measures[at]
        return Flags(
            at=at,
            score=np.zeros(len(at)),
            value=batch.size[at],
            expected=found["mean_size"],
            threshold=batch.size[at],
            reasons=[
                f"auction cross of {size_text(size)} shares at {price:,.10g}, expected at this time of day"
                for size, price in zip(batch.size[at], batch.price[at], strict=True)
            ],
            contributions={FEATURES[1]: np.ones(len(at))},
            features=features_of(found),
        )


@njit(cache=True)
def measure_cross(
    s: Record, p: Record, event_ns: int, price: float, size: float, side: int, out: Record
) -> bool:
    """Tell whether a trade is the print of an auction: the largest so far within its window.

    One away from the market, by an evidence that flags it, gets as much evidence as a critical one.
    """
    is_cross = False
    if is_auction_sized(s, p, size, side):
        window_ns = p.window_s * SECOND_NS
        if 0 <= event_ns - s.open_ns < window_ns and size > s.open_cross:
            is_cross = True
            s.open_cross = size
        elif 0 <= event_ns - s.close_ns < window_ns and size > s.close_cross:
            is_cross = True
            s.close_cross = size
    out.is_cross = NATURAL_CROSS if is_cross else 0
    market = price - out.distance
    if is_cross and out.price_evidence >= ALERT and abs(out.distance) > p.away_share * abs(market):
        out.is_cross = CROSS_AWAY
        out.price_evidence = max(out.price_evidence, CRITICAL)
    return is_cross


@njit(cache=True)
def is_reopening_print(s: Record, p: Record, event_ns: int, size: float, side: int) -> bool:
    """Tell whether a trade looks like the auction after a halt: very large, without a side, after a gap."""
    is_after_gap = s.priced > 0 and event_ns - s.last_ns >= p.halt_s * SECOND_NS
    return bool(is_after_gap and is_auction_sized(s, p, size, side))


@njit(cache=True)
def is_auction_sized(s: Record, p: Record, size: float, side: int) -> bool:
    """Tell whether a print is as large as an auction's, and has no side either."""
    return bool(side == HIDDEN and size >= p.least_ratio * (0.5 * (s.mean200 + s.mean1000)))
