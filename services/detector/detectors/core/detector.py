"""The base of the calibrated detectors."""

from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from services.detector.detectors.base import Detector, StateStore
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.state import NATURAL_CROSS
from services.detector.detectors.core.tail import ALERT
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.slots import grown

if TYPE_CHECKING:
    from services.detector.detectors.core.walk import FeatureWalk


class CalibratedDetector(Detector):
    """Judges the measures that the walk takes of each trade, most of them by rarity."""

    def __init__(self, context: DetectorContext) -> None:
        self._walk: FeatureWalk = context.walk

    @property
    def state_store(self) -> StateStore:
        """See `Detector`."""
        return self._walk

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`; the walk opens sessions."""


class JoinedParameters(Protocol):
    """Parameters of a detector whose flags may belong together."""

    join_s: float


class JoiningDetector(CalibratedDetector):
    """Its flags that follow each other within the parameter `join_s` are one anomaly."""

    def __init__(self, context: DetectorContext) -> None:
        super().__init__(context)
        self._own = context.parameters_of(self.name, self.parameters)
        self._join_s = np.zeros(0)  # by slot

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        super().open(slot, session)
        self._join_s = grown(self._join_s, slot)
        self._join_s[slot] = cast("JoinedParameters", self._own(session.symbol)).join_s


class TailDetector(JoiningDetector):
    """Flags trades by the rarity of one of the measures."""

    evidence: str
    """Name of the measure in `state.MEASURES` that flags a trade if it is at least `tail.ALERT`."""
    part: int
    """Index of its tail in a session's record, such as `state.PRICE`."""

    def _alerts(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return the places where the evidence flags, and the measures there.

        An auction's print never raises an alert, unless it is away from the market.
        """
        measures = batch.measured()
        at = np.flatnonzero((measures[self.evidence] >= ALERT) & (measures["is_cross"] != NATURAL_CROSS))
        return at, measures[at]
