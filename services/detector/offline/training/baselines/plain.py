"""Rankings in one line, and that of Tapewatch's calibrated detectors."""

import numpy as np

from services.detector.features.registry import NAMES
from services.detector.offline.training.baselines.base import Baseline
from services.detector.offline.training.judge import JudgedDay
from services.detector.offline.training.rows import evidence_of


class Random(Baseline):
    """Chance."""

    title = "random"
    _seed = 0

    def fit(self, ordinary: np.ndarray, seed: int) -> None:  # noqa: ARG002 - it takes the seed alone
        """See `Baseline`."""
        self._seed = seed

    def score(self, judged: JudgedDay) -> np.ndarray:
        """See `Baseline`."""
        return np.random.default_rng([self._seed, len(judged.size)]).random(len(judged.size))


class PriceChange(Baseline):
    """How far the price is from the one before."""

    title = "absolute Δp"

    def score(self, judged: JudgedDay) -> np.ndarray:
        """See `Baseline`."""
        change = judged.features[:, NAMES.index("return_1")].astype(np.float64)
        return np.abs(np.nan_to_num(change))


class Size(Baseline):
    """The size."""

    title = "size"

    def score(self, judged: JudgedDay) -> np.ndarray:
        """See `Baseline`."""
        return judged.size


class Calibrated(Baseline):
    """The profile's detectors, as they alert."""

    title = "calibrated score, as it alerts"
    has_episodes = True

    def score(self, judged: JudgedDay) -> np.ndarray:
        """See `Baseline`."""
        return judged.alert


class Evidence(Baseline):
    """The greatest evidence of the calibrated detectors, of every trade."""

    title = "calibrated evidence, every trade"

    def score(self, judged: JudgedDay) -> np.ndarray:
        """See `Baseline`."""
        return evidence_of(judged.features)
