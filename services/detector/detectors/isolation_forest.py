"""Isolation Forest Anomaly: see `calibrated.forest_measure` for what is measured."""

import numpy as np

from services.common.contracts import Label
from services.detector.batch import Batch, SessionKey
from services.detector.detectors.base import Flags
from services.detector.detectors.calibrated.tail import ALERT, score_of
from services.detector.detectors.calibrated.tape import Tape
from services.detector.detectors.calibrated.words import FEATURES, features_of, once_in


class IsolationForest:
    """Flags trades whose mixture of price distance, size and pace is isolated, by how rare such a score is.

    Parameters
    ----------
    tape
        Measures the trades; shared with the other calibrated detectors.
    """

    name = "isolation_forest"
    label = Label.ISOLATION_FOREST

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        self._tape.open(slot, session)

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are scores of the forest, expected is that of a usual trade."""
        measures, shares = self._tape.measure(batch)
        at = np.flatnonzero((measures["forest_evidence"] >= ALERT) & (measures["is_cross"] == 0))
        found = measures[at]
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
