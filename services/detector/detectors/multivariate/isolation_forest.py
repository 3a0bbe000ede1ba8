"""Isolation Forest Anomaly: see `calibrated.forest_measure` for what is measured."""

import numpy as np

from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import CalibratedDetector
from services.detector.detectors.core.explain import FEATURES, features_of, once_in
from services.detector.detectors.core.tail import score_of
from services.detector.engine.batch import Batch


class IsolationForest(CalibratedDetector):
    """Flags trades whose mixture of price distance, size and pace is isolated, by the score's rarity."""

    name = "isolation_forest"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are scores of the forest, expected is that of a usual trade."""
        at, found = self._alerts(batch, "forest_evidence")
        _, shares = self._tape.measure(batch)
        return Flags(
            at=at,
            score=score_of(found["forest_evidence"]),
            value=found["forest_score"],
            expected=np.full(len(at), 0.5),
            threshold=found["forest_threshold"],
            reasons=[
                "price distance, size and pace together are unlike those of the recent trades; "
                f"such a mixture is seen {once_in(row['forest_rarity'])}"
                for row in found
            ],
            contributions={name: shares[at, column] for column, name in enumerate(FEATURES[:3])},
            features=features_of(found),
        )
