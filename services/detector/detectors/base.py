"""The one interface of every detector."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from services.detector.detectors.context import DetectorContext
from services.detector.detectors.parameters import Parameters
from services.detector.engine.batch import Batch, SessionKey


@dataclass(frozen=True)
class Flags:
    """The trades of a batch that one detector flags, k of them.

    Parameters
    ----------
    at
        Their places in the batch, int64, shape (k,), rising.
    score
        0 to 1, higher is more anomalous; 0.5 is what just reaches the threshold. Shape (k,).
    value, expected, threshold
        What was seen, what was expected, and what would just not have been flagged. Shape (k,).
    reasons
        A sentence each, for a person, without its capital and full stop.
    contributions
        Feature name to its share in the score, shape (k,) each; a trade's shares add up to 1.
    features
        Feature name to its value, shape (k,) each.
    """

    at: np.ndarray
    score: np.ndarray
    value: np.ndarray
    expected: np.ndarray
    threshold: np.ndarray
    reasons: list[str]
    contributions: Mapping[str, np.ndarray] = field(default_factory=dict)
    features: Mapping[str, np.ndarray] = field(default_factory=dict)

    def only(self, stays: np.ndarray) -> "Flags":
        """Return those flags that stay, bool, shape (k,)."""
        if stays.all():
            return self
        return Flags(
            at=self.at[stays],
            score=self.score[stays],
            value=self.value[stays],
            expected=self.expected[stays],
            threshold=self.threshold[stays],
            reasons=[reason for reason, one in zip(self.reasons, stays, strict=True) if one],
            contributions={name: values[stays] for name, values in self.contributions.items()},
            features={name: values[stays] for name, values in self.features.items()},
        )


class Keeper(Protocol):
    """Keeps what detectors know of each session under its slot, bounded, so that it can be saved.

    Saved are windows and numbers; parameters come from the profile, and models are fitted again.
    """

    name: str
    layout: str
    """A text that differs whenever saved bytes are to be read in another way."""

    def save(self, slot: int) -> bytes:
        """Return all that is known of a slot's session; the same bytes for all that goes on the same way."""
        ...

    def restore(self, slot: int, saved: bytes) -> None:
        """Put what was saved under a slot that was just opened for the same session.

        Raises
        ------
        ValueError
            The bytes are not what `save` returns; says why.
        """
        ...


class Detector(ABC):
    """Watches any number of sessions; what it says of a trade depends on its session's trades before alone.

    What is known of a session is kept under its slot, so that one call serves a batch of many symbols. It is
    made once for a profile, and registered in `services.contracts.detectors`.

    Parameters
    ----------
    context
        Gives parameters, the calendar, and the walk that the calibrated ones share.
    """

    name: str
    """Its key in `services.contracts.detectors.DETECTORS`."""
    parameters: type[Parameters]
    """What a profile can set, with defaults for all of it."""

    @abstractmethod
    def __init__(self, context: DetectorContext) -> None: ...

    @property
    @abstractmethod
    def keeper(self) -> Keeper | None:
        """What keeps this detector's state; detectors may share one. None if it is not bounded."""

    @abstractmethod
    def open(self, slot: int, session: SessionKey) -> None:
        """Begin a session afresh under a slot; slots are small numbers, given again after a session's end."""

    @abstractmethod
    def flag(self, batch: Batch) -> Flags:
        """Judge the next trades; any cut into batches and any mixture of sessions gives the same flags.

        The batch is left as it is. Its `measures` are there if any calibrated detector runs.
        """


def score_beyond(value: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Map how far a positive value lies beyond its threshold to a score: 0.5 at it, 1 far beyond."""
    return 1.0 - 0.5 * threshold / value
