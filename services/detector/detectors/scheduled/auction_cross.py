"""Auction Cross: the print of an opening or closing auction, very large and expected."""

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.trade import size_text
from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import CalibratedDetector
from services.detector.detectors.core.explain import FEATURES, features_of
from services.detector.detectors.core.state import HIDDEN, SECOND_NS
from services.detector.detectors.parameters import Parameters
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record


class AuctionCrossParameters(Parameters):
    """Parameters of Auction Cross."""

    least_ratio: float = Field(30.0, gt=1, description="least size of a cross, in mean sizes")
    window_s: float = Field(60.0, gt=0, description="how long after the auction's time its prints may come")


class AuctionCross(CalibratedDetector):
    """Labels a very large print without a side just after an auction's time, so that it raises no alert."""

    name = "auction_cross"
    parameters = AuctionCrossParameters

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; the score is 0, as the trade is not anomalous. Value and expected are shares."""
        measures = batch.measured()
        at = np.flatnonzero(measures["is_cross"])
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
def measure_cross(s: Record, p: Record, event_ns: int, size: float, side: int, out: Record) -> bool:
    """Tell whether a trade is the print of an auction: the largest so far within its window."""
    is_cross = False
    if side == HIDDEN and size >= p.least_ratio * (0.5 * (s.mean200 + s.mean1000)):
        window_ns = p.window_s * SECOND_NS
        if 0 <= event_ns - s.open_ns < window_ns and size > s.open_cross:
            is_cross = True
            s.open_cross = size
        elif 0 <= event_ns - s.close_ns < window_ns and size > s.close_cross:
            is_cross = True
            s.close_cross = size
    out.is_cross = is_cross
    return is_cross
