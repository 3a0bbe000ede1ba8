"""What every kind of trained model can do once it is loaded."""

from abc import ABC, abstractmethod

import numpy as np

from services.detector.models.manifest import Scaling


class TrainedModel(ABC):
    """A model that judges windows of features; the same bits whatever the batch, with one thread.

    Parameters
    ----------
    model
        The bytes of its file.
    features
        How many there are.
    scaling
        What is done to its inputs and outputs.

    Raises
    ------
    ValueError
        The bytes are not a model of this kind, or not for so many features.
    """

    window: int = 1
    """Prints that it looks at: the one that it judges, and those before it."""

    @abstractmethod
    def __init__(self, model: bytes, features: int, scaling: Scaling) -> None: ...

    @abstractmethod
    def raw(self, rows: np.ndarray) -> np.ndarray:
        """Return the raw output of rows, float64, shape (n,); higher is more anomalous.

        Parameters
        ----------
        rows
            Features in the order of the list, not a number where one is not defined, shape (n, window *
            features): of the oldest print first (`windows.Windows`).
        """

    @abstractmethod
    def contributions(self, rows: np.ndarray) -> np.ndarray:
        """Return what each of the last print's features adds to the raw output, or its share of it.

        Float64, shape (n, features); `rows` as in `raw`.
        """


def probabilities(raw: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return the calibrated probability of raw outputs, float64, shape (n,)."""
    if not scaling.raw:
        return np.asarray(raw, np.float64)
    curve: np.ndarray = np.interp(raw, scaling.raw, scaling.probability)
    return curve
