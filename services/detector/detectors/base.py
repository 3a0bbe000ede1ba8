"""The interface of every detector."""

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
        The observed value, the expected one, and the largest that is not flagged. Shape (k,).
    reasons
        A sentence each, without its capital and full stop.
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
        """Return the flags that `stays` selects, bool, shape (k,)."""
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


class StateStore(Protocol):
    """Holds the detectors' state of each session by slot; its size is bounded, so that it can be saved.

    Only windows and numbers are saved; parameters come from the profile, and models are fitted again.
    """

    name: str
    state_schema: str
    """A text that changes whenever the format of the saved bytes does."""

    def save(self, slot: int) -> bytes:
        """Return the complete state of a slot's session; equal states give equal bytes."""
        ...

    def restore(self, slot: int, saved: bytes) -> None:
        """Restore saved state into a slot that was just opened for the same session.

        Raises
        ------
        ValueError
            The bytes are not what `save` returns; the message says why.
        """
        ...


class Detector(ABC):
    """Judges trades of any number of sessions; its result depends only on the session's trades up to then.

    The state of a session is kept by slot, so that one call serves a batch of many symbols. A detector is
    created once per profile, and registered in `services.contracts.detectors`.

    Parameters
    ----------
    context
        Provides parameters, the calendar, and the walk that calibrated detectors share.
    """

    name: str
    """Key in `services.contracts.detectors.DETECTORS`."""
    parameters: type[Parameters]
    """What a profile can set; every parameter has a default."""

    @abstractmethod
    def __init__(self, context: DetectorContext) -> None: ...

    @property
    @abstractmethod
    def state_store(self) -> StateStore | None:
        """The store of this detector's state, which detectors may share; None if its size is not bounded."""

    @abstractmethod
    def open(self, slot: int, session: SessionKey) -> None:
        """Start a new session in a slot; slots are small numbers, reused after a session's end."""

    @abstractmethod
    def flag(self, batch: Batch) -> Flags:
        """Judge the next trades; any cut into batches and any mixture of sessions gives the same flags.

        The batch is not modified. It has `measures` if any calibrated detector runs.
        """


def score_beyond(value: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Map a positive value's distance beyond its threshold to a score: 0.5 at the threshold, 1 far beyond."""
    return 1.0 - 0.5 * threshold / value
