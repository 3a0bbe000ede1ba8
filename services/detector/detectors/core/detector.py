"""What the calibrated detectors have in common."""

from typing import TYPE_CHECKING

import numpy as np

from services.detector.detectors.base import Detector, Keeper
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.tail import ALERT
from services.detector.engine.batch import Batch, SessionKey

if TYPE_CHECKING:
    from services.detector.detectors.core.walk import FeatureWalk


class CalibratedDetector(Detector):
    """Judges the measures that the walk takes of each trade, most of them by their rarity."""

    def __init__(self, context: DetectorContext) -> None:
        self._walk: FeatureWalk = context.walk

    @property
    def keeper(self) -> Keeper:
        """See `Detector`."""
        return self._walk

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`; the walk knows of sessions."""


class TailDetector(CalibratedDetector):
    """Flags by the rarity of one of the measures."""

    evidence: str
    """Which of `state.MEASURES` flags, from `tail.ALERT` on."""
    part: int
    """Its tail in a session's record, such as `state.PRICE`."""

    def _alerts(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return the places where the evidence flags, and the measures there.

        An auction's print raises no alert, whatever it looks like.
        """
        measures = batch.measured()
        at = np.flatnonzero((measures[self.evidence] >= ALERT) & (measures["is_cross"] == 0))
        return at, measures[at]
