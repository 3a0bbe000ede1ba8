"""Burst: see `calibrated.burst_measure` for what is measured."""

import numpy as np

from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import CalibratedDetector
from services.detector.detectors.core.explain import contributions_of, features_of, once_in
from services.detector.detectors.core.state import BURST
from services.detector.detectors.core.tail import score_of
from services.detector.engine.batch import Batch


class Burst(CalibratedDetector):
    """Flags trades at many distinct times within a moment that move the price, once an episode."""

    name = "burst"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are intensities, expected is 0: no burst."""
        at, found = self._alerts(batch, "burst_evidence")
        return Flags(
            at=at,
            score=score_of(found["burst_evidence"]),
            value=found["burst_value"],
            expected=np.zeros(len(at)),
            threshold=found["burst_threshold"],
            reasons=[
                f"{row['burst_trades']:,.0f} trades at {row['burst_times']:,.0f} distinct times within a "
                f"moment moved the price by {row['burst_drift']:+.4g}; such a burst is seen "
                f"{once_in(row['burst_rarity'])}"
                for row in found
            ],
            contributions=contributions_of(found, BURST),
            features=features_of(found),
        )
