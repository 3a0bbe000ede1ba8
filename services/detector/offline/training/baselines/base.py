"""What models are compared with: rankings that need no labels."""

from abc import ABC, abstractmethod

import numpy as np

from services.detector.features.registry import NAMES
from services.detector.offline.training.judge import JudgedDay

SIMPLE = (
    *("return_1", "return_10", "return_50ms", "median_deviation_200", "envelope_distance_200"),
    *("size_z_200", "size_ratio_200", "volume_z_1s", "rate_z_1s", "volume_z_10s", "gap_s"),
)
"""Eleven plain features that detectors of outliers take, as introductions do."""
_COLUMNS = [NAMES.index(name) for name in SIMPLE]


def simple_of(features: np.ndarray) -> np.ndarray:
    """Return the plain features of `NAMES`, 0 where one is not defined, float64, shape (n, 11)."""
    return np.nan_to_num(features[:, _COLUMNS].astype(np.float64), posinf=0.0, neginf=0.0)


class Baseline(ABC):
    """A ranking of trades.

    Parameters
    ----------
    title
        Name in the table.
    has_episodes
        See `Ranked`.
    """

    title: str
    has_episodes = False

    def fit(self, ordinary: np.ndarray, seed: int) -> None:  # noqa: B027 - many have nothing to fit
        """Learn from trades of the training days: `NAMES`, float32, shape (n, features)."""

    @abstractmethod
    def score(self, judged: JudgedDay) -> np.ndarray:
        """Return a score for each trade, higher is more anomalous, float64, shape (n,)."""
