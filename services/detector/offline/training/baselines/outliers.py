"""Detectors of outliers from the literature, on eleven plain features."""

from math import nan

import numpy as np
from numba import njit
from sklearn.ensemble import IsolationForest as Forest

from services.detector.offline.training.baselines.base import SIMPLE, Baseline, simple_of
from services.detector.offline.training.judge import JudgedDay


class IsolationForest(Baseline):
    """Liu, Ting and Zhou, "Isolation Forest", ICDM 2008: scikit-learn's."""

    title = "isolation forest"

    def fit(self, ordinary: np.ndarray, seed: int) -> None:
        """See `Baseline`."""
        self._forest = Forest(n_estimators=100, random_state=seed, n_jobs=1).fit(simple_of(ordinary))

    def score(self, judged: JudgedDay) -> np.ndarray:
        """See `Baseline`."""
        scores: np.ndarray = -self._forest.score_samples(simple_of(judged.features))
        return scores


class Ecod(Baseline):
    """Li et al., "ECOD: Unsupervised Outlier Detection Using Empirical Cumulative Distribution Functions".

    IEEE Transactions on Knowledge and Data Engineering, 2022.
    """

    title = "ECOD"

    def fit(self, ordinary: np.ndarray, seed: int) -> None:  # noqa: ARG002 - nothing is drawn
        """See `Baseline`."""
        rows = simple_of(ordinary)
        self._sorted = np.sort(rows, axis=0)
        centred = rows - rows.mean(axis=0)
        deviation = np.maximum(rows.std(axis=0), 1e-300)
        self._is_left = (centred**3).mean(axis=0) / deviation**3 < 0

    def score(self, judged: JudgedDay) -> np.ndarray:
        """See `Baseline`."""
        rows = simple_of(judged.features)
        left_sum = right_sum = skewed_sum = np.zeros(len(rows))
        count = len(self._sorted)
        for column in range(rows.shape[1]):
            own, known = rows[:, column], self._sorted[:, column]
            left = -np.log((np.searchsorted(known, own, side="right") + 1) / (count + 1))
            right = -np.log((count - np.searchsorted(known, own, side="left") + 1) / (count + 1))
            left_sum, right_sum = left_sum + left, right_sum + right
            skewed_sum = skewed_sum + (left if self._is_left[column] else right)
        return np.maximum(np.maximum(left_sum, right_sum), skewed_sum)


class HalfSpaceTrees(Baseline):
    """Tan, Ting and Liu, "Fast Anomaly Detection for Streaming Data", IJCAI 2011: it goes on learning."""

    title = "half-space trees"
    TREES, DEPTH, WINDOW, LEAST_SHARE = 25, 12, 1_000, 0.1
    TAIL = 0.001
    """Share of ordinary trades beyond either end of the range that trees halve."""

    def fit(self, ordinary: np.ndarray, seed: int) -> None:
        """See `Baseline`."""
        rng = np.random.default_rng(seed)
        rows = simple_of(ordinary)
        self._low, self._high = np.quantile(rows, [self.TAIL, 1 - self.TAIL], axis=0)
        self._first = rows[: self.WINDOW]  # in place of the window before the day's first
        nodes = 2 ** (self.DEPTH + 1)
        self._feature = rng.integers(0, len(SIMPLE), (self.TREES, nodes))
        self._middle = np.full((self.TREES, nodes), nan)
        place = rng.random((self.TREES, len(SIMPLE)))
        reach = 2 * np.maximum(place, 1 - place)
        for tree in range(self.TREES):
            low, high = place[tree] - reach[tree], place[tree] + reach[tree]
            self._split(tree, 1, low, high)

    def _split(self, tree: int, node: int, low: np.ndarray, high: np.ndarray) -> None:
        """Halve a node's space by its feature, down to the leaves."""
        if node >= 2**self.DEPTH:
            return
        feature = self._feature[tree, node]
        middle = (low[feature] + high[feature]) / 2
        self._middle[tree, node] = middle
        below, above = high.copy(), low.copy()
        below[feature] = above[feature] = middle
        self._split(tree, 2 * node, low, below)
        self._split(tree, 2 * node + 1, above, high)

    def score(self, judged: JudgedDay) -> np.ndarray:
        """See `Baseline`."""
        spread = np.where(self._high > self._low, self._high - self._low, 1.0)
        rows = np.concatenate([self._first, simple_of(judged.features)])
        scaled = np.clip((rows - self._low) / spread, 0.0, 1.0)
        least = self.LEAST_SHARE * self.WINDOW
        mass = _mass(scaled, self._feature, self._middle, self.DEPTH, self.WINDOW, least)
        return -mass[len(self._first) :]


@njit(cache=True)
def _mass(
    rows: np.ndarray, feature: np.ndarray, middle: np.ndarray, depth: int, window: int, least: float
) -> np.ndarray:
    """Return the mass around each row in the window before its own, while the present window is counted."""
    trees, nodes = feature.shape
    known = np.zeros((trees, nodes))
    counted = np.zeros((trees, nodes))
    mass = np.zeros(len(rows))
    for i in range(len(rows)):
        if i > 0 and i % window == 0:
            known[:] = counted
            counted[:] = 0.0
        for tree in range(trees):
            node = 1
            is_open = True
            for level in range(depth + 1):
                counted[tree, node] += 1.0
                if is_open and (level == depth or known[tree, node] < least):
                    mass[i] += known[tree, node] * 2.0**level
                    is_open = False
                if level < depth:
                    node = 2 * node + (1 if rows[i, feature[tree, node]] >= middle[tree, node] else 0)
    return mass
