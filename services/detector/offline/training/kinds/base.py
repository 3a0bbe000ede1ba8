"""What every kind of model can do to learn; how it judges is in `services.detector.models`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from services.detector.models.manifest import Scaling
from services.detector.offline.training.rows import Rows

OnRound = Callable[[int, int], None]
"""Called with the number of rounds done, and of those to be done at most."""


class Fitted(NamedTuple):
    """What came out of training.

    Parameters
    ----------
    model
        The bytes of the model's file: the same for the same rows, seed, threads and versions.
    scaling
        What the model needs to be done to its inputs; its probabilities are calibrated later.
    rounds
        How long it has learnt, in its own steps.
    """

    model: bytes
    scaling: Scaling
    rounds: int


class Trainer(ABC):
    """Learns from rows."""

    kind: str
    """Key in `services.detector.models.kinds.MODEL_KINDS`."""
    threads: int
    window: int = 1
    """Prints that its models look at."""
    settings: dict[str, float | int | str]
    """What it learns with, for the manifest."""

    @abstractmethod
    def fit(self, train: Rows, stop: Rows, seed: int, on_round: OnRound) -> Fitted:
        """Learn from rows of the kind's windows, until it gets no better on those of a later day."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the versions of the libraries that decide the bytes."""
