"""What the calibrated detectors have in common."""

import numpy as np

from services.detector.detectors.base import Keeper
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.core.walk import Tape
from services.detector.engine.batch import Batch, SessionKey


class CalibratedDetector:
    """Flags by the rarity of what a tape measures.

    Parameters
    ----------
    tape
        Measures the trades; shared by the calibrated detectors.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    @property
    def keeper(self) -> Keeper:
        """See `Detector`."""
        return self._tape

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        self._tape.open(slot, session)

    def _alerts(self, batch: Batch, evidence: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the places where a part's evidence flags, and the measures there.

        An auction's print raises no alert, whatever it looks like.
        """
        measures, _ = self._tape.measure(batch)
        at = np.flatnonzero((measures[evidence] >= ALERT) & (measures["is_cross"] == 0))
        return at, measures[at]
