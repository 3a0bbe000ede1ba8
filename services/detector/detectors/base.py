"""The one interface of every detector."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

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


class Detector(Protocol):
    """Watches any number of sessions; what it says of a trade depends on its session's trades before alone.

    What is known of a session is kept under its slot, so that one call serves a batch of many symbols.
    """

    name: str
    """Its key in `services.contracts.detectors.DETECTORS`."""

    @property
    def keeper(self) -> Keeper | None:
        """What keeps this detector's state; detectors may share one. None if it is not bounded."""
        ...

    def open(self, slot: int, session: SessionKey) -> None:
        """Begin a session afresh under a slot; slots are small numbers, given again after a session's end."""
        ...

    def flag(self, batch: Batch) -> Flags:
        """Judge the next trades; any cut into batches and any mixture of sessions gives the same flags."""
        ...


def score_beyond(value: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    """Map how far a positive value lies beyond its threshold to a score: 0.5 at it, 1 far beyond."""
    return 1.0 - 0.5 * threshold / value
