"""Auction Cross: the print of an opening or closing auction, enormous and natural."""

import numpy as np

from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import CalibratedDetector
from services.detector.detectors.core.explain import FEATURES, features_of
from services.detector.engine.batch import Batch


class AuctionCross(CalibratedDetector):
    """Names a huge print without a side just after an auction's time, so that it raises no alert."""

    name = "auction_cross"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; the score is 0, as there is nothing anomalous. Value and expected are shares."""
        measures, _ = self._tape.measure(batch)
        at = np.flatnonzero(measures["is_cross"])
        found = measures[at]
        return Flags(
            at=at,
            score=np.zeros(len(at)),
            value=batch.size[at].astype(np.float64),
            expected=found["mean_size"],
            threshold=batch.size[at].astype(np.float64),
            reasons=[
                f"auction cross of {size:,} shares at {price:,.10g}, natural at this time of the day"
                for size, price in zip(batch.size[at], batch.price[at], strict=True)
            ],
            contributions={FEATURES[1]: np.ones(len(at))},
            features=features_of(found),
        )
