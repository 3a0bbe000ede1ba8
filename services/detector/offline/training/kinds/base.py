"""What every kind of model can do to learn; how it judges is in `services.detector.models`."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from services.detector.models.manifest import Scaling
from services.detector.offline.training.rows import Rows


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
    settings: dict[str, float | int | str]
    """What it learns with, for the manifest."""

    @abstractmethod
    def fit(self, train: Rows, stop: Rows, seed: int) -> Fitted:
        """Learn from rows, until those of later days are not told apart any better."""

    @abstractmethod
    def versions(self) -> dict[str, str]:
        """Return the versions of the libraries that decide the bytes."""
