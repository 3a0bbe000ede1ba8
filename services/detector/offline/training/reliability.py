"""Whether calibrated probabilities come true, on days that neither model nor calibration has seen."""

from typing import NamedTuple

import numpy as np

EDGES = np.array([0.0, 0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 1.0])


class Bin(NamedTuple):
    """Trades whose probability lies between two limits; an anomaly's trades count as one."""

    low: float
    high: float
    trades: float
    predicted: float
    observed: float


class Reliability:
    """Counts predicted probabilities and what came true."""

    def __init__(self) -> None:
        self._weight, self._predicted, self._observed = np.zeros((3, len(EDGES) - 1))
        self._squares = 0.0

    def add(self, probability: np.ndarray, event: np.ndarray, natural: int) -> None:
        """Add trades.

        Parameters
        ----------
        probability
            Shape (n,).
        event
            Number of each one's anomaly, or `natural`; shape (n,).
        """
        is_event = event != natural
        counts = np.bincount(event[is_event]) if is_event.any() else np.ones(1)
        weight = np.ones(len(event))
        weight[is_event] = 1 / counts[event[is_event]]
        place = np.clip(np.searchsorted(EDGES, probability, side="right") - 1, 0, len(EDGES) - 2)
        for sums, values in (
            (self._weight, weight),
            (self._predicted, weight * probability),
            (self._observed, weight * is_event),
        ):
            sums += np.bincount(place, values, len(EDGES) - 1)
        self._squares += float((weight * (probability - is_event) ** 2).sum())

    @property
    def brier(self) -> float:
        """Mean squared distance of the probabilities from what came true."""
        return self._squares / float(self._weight.sum())

    @property
    def brier_of_rate(self) -> float:
        """The same for a forecast that always gives the mean rate."""
        rate = float(self._observed.sum() / self._weight.sum())
        return rate * (1 - rate)

    def bins(self) -> list[Bin]:
        """Return the bins that have trades."""
        return [
            Bin(
                float(EDGES[at]),
                float(EDGES[at + 1]),
                float(weight),
                float(predicted / weight),
                float(seen / weight),
            )
            for at, (weight, predicted, seen) in enumerate(
                zip(self._weight, self._predicted, self._observed, strict=True)
            )
            if weight > 0
        ]
