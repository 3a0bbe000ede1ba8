"""Where labels come from: an origin makes labelled copies of a day."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from services.detector.offline.training.days import SessionDay
from services.detector.offline.training.labelled import LabelledDay


class Origin(ABC):
    """Labels of one origin, which are never mixed with others: each copy of a day has one."""

    name: str
    """Key in `registry.ORIGINS`."""
    weight: float
    """What one of its anomalies counts in training, in ordinary trades."""

    @abstractmethod
    def learnt(self, day: SessionDay) -> Iterator[LabelledDay]:
        """Yield the copies of a day to learn from, or to stop and calibrate by; none without labels there."""

    @abstractmethod
    def tested(self, day: SessionDay) -> Iterator[LabelledDay]:
        """Yield the copies of a day to test on."""
