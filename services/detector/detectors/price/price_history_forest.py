"""Isolation forest on the price history: the rule of the tutorials, made fast without changing its results.

Liu, Ting and Zhou, "Isolation Forest", ICDM 2008. A forest has learnt from the prices of a session's whole
history, each divided by their mean. Each trade is appended to the history, divided by the mean of the history
including it, and judged by the forest of the last fit; then, if the number of trades is a multiple of
`refit_trades`, a forest is fitted to the history divided by that mean. Trades before the first fit are not
judged. `benchmarks/plain_tutorial.py` does the same, trade by trade, with scikit-learn.

With one feature the score of a forest is a step function: it changes at the thresholds of the trees only. So
after a fit all steps are computed at once, and judging a trade is one binary search.
"""

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import sklearn
from coniferest.isoforest import IsolationForest
from numba import njit
from pydantic import Field
from sklearn.tree import ExtraTreeRegressor
from sklearn.utils.random import sample_without_replacement

from services.detector.detectors.base import Detector, Flags, score_beyond
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.parameters import Parameters
from services.detector.engine.batch import PRICE_ELIGIBLE, Batch, SessionKey
from services.detector.engine.slots import grown

_STATE = np.dtype([("trades", np.int64), ("price_sum", np.float64)])

_MOST_SEED = np.iinfo(np.int32).max
"""scikit-learn draws the seeds of its trees below this."""


class PriceHistoryForestParameters(Parameters):
    """Parameters of `PriceHistoryForest`."""

    contamination: float = Field(
        0.01, gt=0, le=0.5, description="The share of the learnt prices that a new one must be beyond."
    )
    refit_trades: int = Field(1_000, ge=2, description="Number of trades between two fits.")
    trees: int = Field(1_000, ge=1, le=100_000, description="Trees of a forest.")
    subsample_trades: int = Field(
        256, ge=2, le=100_000, description="Prices, drawn from the history, that each tree learns from."
    )
    trees_from: Literal["scikit-learn", "coniferest"] = Field(
        "coniferest",
        description="The library that grows the trees: scikit-learn as in the tutorials, or coniferest, "
        "which grows other random trees of the same model in a fraction of the time.",
    )


@dataclass(frozen=True)
class _Trees:
    """Trees of one feature as step functions, tree after tree, each from left to right.

    Parameters
    ----------
    cuts
        The highest values that go left, float32, shape (n - trees,).
    depths
        Depths of the leaves, with the mean depth of a tree of what a leaf still holds; float64 of
        scikit-learn's trees, float32 of coniferest's, shape (n,).
    first_leaf
        Where each tree's leaves start, and n, int64, shape (trees + 1,).
    """

    cuts: np.ndarray
    depths: np.ndarray
    first_leaf: np.ndarray


@dataclass(frozen=True)
class _Forest:
    """A fitted forest as one step function.

    Parameters
    ----------
    edges
        Where the score changes: step i holds for edges[i - 1] < value <= edges[i]; float32, rising,
        shape (n,).
    scores
        Anomaly score of each step, 0 to 1, shape (n + 1,).
    threshold
        The score that must be exceeded.
    typical
        The median score of what was learnt.
    """

    edges: np.ndarray
    scores: np.ndarray
    threshold: float
    typical: float

    def score(self, normalised: np.ndarray) -> np.ndarray:
        # scikit-learn compares values that it has rounded to float32; so does coniferest, given such ones.
        return self.scores[np.searchsorted(self.edges, normalised.astype(np.float32), side="left")]


@dataclass
class _Session:
    """What is known of a session beyond its sums."""

    key: SessionKey
    parameters: PriceHistoryForestParameters
    prices: np.ndarray = field(default_factory=lambda: np.empty(1024))
    """The first `trades` are the history; the rest is room to grow."""
    trades: int = 0
    forest: _Forest | None = None

    @property
    def rank(self) -> str:
        """The share of prices that are less isolated than a flagged one."""
        return f"{100 * (1 - self.parameters.contamination):.4g} %"

    def append(self, prices: np.ndarray) -> None:
        until = self.trades + len(prices)
        if until > len(self.prices):
            longer = np.empty(max(2 * len(self.prices), until))
            longer[: self.trades] = self.prices[: self.trades]
            self.prices = longer
        self.prices[self.trades : until] = prices
        self.trades = until

    def fit(self, mean: float) -> None:
        learnt = (self.prices[: self.trades] / mean).astype(np.float32)
        self.forest = _fitted(learnt, self.parameters, seed_of(self.key, self.trades))


class PriceHistoryForest(Detector):
    """Flags prices that a forest isolates faster than nearly all of the session's whole history.

    Memory grows with the session: 8 bytes for each trade, and some 2 MB for the steps of 1000 trees. The
    `classic` profile, for which this is made, has one endless session for each symbol.
    """

    name = "price_history_forest"
    parameters = PriceHistoryForestParameters

    def __init__(self, context: DetectorContext) -> None:
        self._parameters_of = context.parameters_of(self.name, PriceHistoryForestParameters)
        self.state = np.zeros(0, _STATE)
        self.sessions: dict[int, _Session] = {}

    @property
    def state_store(self) -> None:
        """See `Detector`; None, as its state grows with every trade."""

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        self.state = grown(self.state, slot)
        self.state[slot] = (0, 0.0)
        self.sessions[slot] = _Session(session, self._parameters_of(session.symbol))

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value, expected and threshold are anomaly scores of the forest, 0 to 1."""
        places = np.flatnonzero(batch.has(PRICE_ELIGIBLE))
        if len(places) == len(batch):
            return self._flag(batch)
        flags = self._flag(batch[places])
        return replace(flags, at=places[flags.at])

    def _flag(self, batch: Batch) -> Flags:
        mean = _means(batch.slot, batch.price, self.state)
        normalised = batch.price / mean
        trades = np.zeros(len(batch), np.int64)
        value = np.zeros(len(batch))
        threshold = np.ones(len(batch))
        expected = np.zeros(len(batch))
        for places in _places_of_sessions(batch.slot):
            session = self.sessions[int(batch.slot[places[0]])]
            trades[places] = session.trades + 1 + np.arange(len(places))
            refit_trades = session.parameters.refit_trades
            while len(places):
                part = places[: refit_trades - session.trades % refit_trades]
                places = places[len(part) :]
                session.append(batch.price[part])
                if session.forest is not None:
                    value[part] = session.forest.score(normalised[part])
                    threshold[part] = session.forest.threshold
                    expected[part] = session.forest.typical
                if session.trades % refit_trades == 0:
                    session.fit(mean[part[-1]])
        at = np.flatnonzero(value > threshold)
        reasons = [
            f"price {price:,.10g} is {ratio:.5g} times {history_mean:,.6g}, the mean of all {count:,} trades "
            f"so far, and more isolated than {self.sessions[slot].rank} of the prices in the history"
            for slot, price, ratio, history_mean, count in zip(
                batch.slot[at].tolist(),
                batch.price[at].tolist(),
                normalised[at].tolist(),
                mean[at].tolist(),
                trades[at].tolist(),
                strict=True,
            )
        ]
        return Flags(
            at=at,
            score=score_beyond(value[at], threshold[at]),
            value=value[at],
            expected=expected[at],
            threshold=threshold[at],
            reasons=reasons,
            contributions={"normalised_price": np.ones(len(at))},
            features={"normalised_price": normalised[at]},
        )

    def limits_after_fit(self, slot: int, contaminations: np.ndarray) -> np.ndarray:
        """Return the score that a trade must exceed for each contamination, shape (k,); right after a fit."""
        session = self.sessions[slot]
        state = self.state[slot]
        if session.forest is None:
            raise ValueError("no forest has been fitted yet")
        mean = state["price_sum"] / state["trades"]
        of_learnt = session.forest.score(session.prices[: session.trades] / (mean if mean != 0.0 else 1.0))
        limits: np.ndarray = -np.percentile(-of_learnt, 100.0 * contaminations)
        return limits


def seed_of(session: SessionKey, trades: int) -> int:
    """Return the seed of the forest that is fitted after so many trades of a session."""
    digest = hashlib.sha256(f"{session.symbol}/{session.day}/{trades}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def _places_of_sessions(slot: np.ndarray) -> list[np.ndarray]:
    """Return the places of each session's trades in a batch, in order."""
    order = np.argsort(slot, kind="stable")
    return [part for part in np.split(order, np.flatnonzero(np.diff(slot[order])) + 1) if len(part)]


@njit(cache=True)
def _means(slot: np.ndarray, price: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the mean of each trade's history, the trade included; 1 for one of 0, which cannot divide.

    Prices are added one by one in order: the only way that gives the same bits for any cut into batches.
    """
    mean = np.empty(len(slot))
    for i in range(len(slot)):
        session = state[slot[i]]
        session.trades += 1
        session.price_sum += price[i]
        mean[i] = session.price_sum / session.trades
        if mean[i] == 0.0:
            mean[i] = 1.0
    return mean


def _fitted(learnt: np.ndarray, parameters: PriceHistoryForestParameters, seed: int) -> _Forest:
    subsample = min(parameters.subsample_trades, len(learnt))
    grow = _scikit_trees if parameters.trees_from == "scikit-learn" else _coniferest_trees
    trees = grow(learnt.reshape(-1, 1), parameters.trees, subsample, seed)
    edges = np.unique(trees.cuts)
    cut_at = np.searchsorted(edges, trees.cuts)
    sum_up = _exact_depth_sums if trees.depths.dtype == np.float32 else _depth_sums_in_order
    depth_sums = sum_up(cut_at, trees.depths, trees.first_leaf, len(edges) + 1)
    # Equation 2 of the paper, in the order of scikit-learn's operations.
    scores = 2 ** -(depth_sums / (parameters.trees * _mean_depths(subsample)[subsample]))
    of_learnt = scores[np.searchsorted(edges, learnt, side="left")]
    # scikit-learn interpolates between the scores' negatives, which rounds in another way than the scores.
    threshold = -float(np.percentile(-of_learnt, 100.0 * parameters.contamination))
    return _Forest(edges, scores, threshold, float(np.median(of_learnt)))


def _mean_depths(most: int) -> np.ndarray:
    """Return the mean depth of a random tree of 0 to `most` samples, at least 2: equation 1 of the paper."""
    count = np.arange(most + 1)
    depths = np.zeros(len(count))
    depths[2] = 1.0
    more = count[3:]
    depths[3:] = 2.0 * (np.log(more - 1.0) + np.euler_gamma) - 2.0 * (more - 1.0) / more
    return depths


def _scikit_trees(learnt: np.ndarray, trees: int, subsample: int, seed: int) -> _Trees:
    """Grow the very trees of `sklearn.ensemble.IsolationForest` in a third of its time.

    Its random draws are repeated here one by one, and its own tree class grows each tree. Left out is what
    does not change a tree: cloning and validating an estimator for each, and giving it the whole history,
    with weights of 0 and 1, instead of the prices drawn.
    """
    targets = np.random.RandomState(seed).uniform(size=len(learnt))
    seeds = np.random.RandomState(seed).randint(_MOST_SEED, size=trees)
    draws = np.random.RandomState(0)
    max_depth = math.ceil(math.log2(subsample))
    grown = []
    with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
        for tree_seed in seeds:
            draws.seed(tree_seed)
            growth_seed = draws.randint(_MOST_SEED)
            draws.seed(tree_seed)
            sample_without_replacement(1, 1, random_state=draws)  # the one feature
            drawn = np.sort(sample_without_replacement(len(learnt), subsample, random_state=draws))
            tree = ExtraTreeRegressor(
                max_features=1, splitter="random", max_depth=max_depth, random_state=growth_seed
            )
            grown.append(tree.fit(learnt[drawn], targets[drawn], check_input=False).tree_)
    mean_depths = _mean_depths(subsample)
    # Node depths count nodes, not edges.
    depths = [tree.compute_node_depths() + mean_depths[tree.n_node_samples] - 1.0 for tree in grown]
    return _Trees(
        *_in_order(
            np.concatenate([tree.children_left for tree in grown]),
            np.concatenate([tree.children_right for tree in grown]),
            _float32_below(np.concatenate([tree.threshold for tree in grown])),
            np.concatenate(depths),
            _first_of([tree.node_count for tree in grown]),
        )
    )


def _coniferest_trees(learnt: np.ndarray, trees: int, subsample: int, seed: int) -> _Trees:
    forest = IsolationForest(n_trees=trees, n_subsamples=subsample, random_seed=seed, n_jobs=1).fit(learnt)
    # The right child lies beside the left one; leaves have 0 as left child, and their depth as value.
    left = np.concatenate([tree.left for tree in forest.core_forest]).astype(np.int64)
    value = np.concatenate([tree.value for tree in forest.core_forest])
    first_node = _first_of([tree.n_nodes for tree in forest.core_forest])
    return _Trees(*_in_order(np.where(left > 0, left, -1), left + 1, value, value, first_node))


def _first_of(counts: list[int]) -> np.ndarray:
    """Return where each part begins, and the end of all."""
    return np.concatenate(([0], np.cumsum(counts)))


def _float32_below(thresholds: np.ndarray) -> np.ndarray:
    """Return the highest float32 not above each: for float32 values, x <= threshold says the same of both."""
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)


@njit(cache=True)
def _in_order(
    left: np.ndarray, right: np.ndarray, cut: np.ndarray, depth: np.ndarray, first_node: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the fields of `_Trees` from the nodes of trees, one tree after the other; -1 is no child."""
    trees = len(first_node) - 1
    leaves = (len(left) + trees) // 2
    cuts = np.empty(leaves - trees, np.float32)
    depths = np.empty(leaves, depth.dtype)
    first_leaf = np.empty(trees + 1, np.int64)
    waiting = np.empty(len(left), np.int64)
    leaf = 0
    for tree in range(trees):
        first_leaf[tree] = leaf
        start = first_node[tree]
        height = 0
        node = 0
        while True:
            while left[start + node] >= 0:
                waiting[height] = node
                height += 1
                node = left[start + node]
            depths[leaf] = depth[start + node]
            leaf += 1
            if height == 0:
                break
            height -= 1
            cuts[leaf - 1 - tree] = cut[start + waiting[height]]
            node = right[start + waiting[height]]
    first_leaf[trees] = leaf
    return cuts, depths, first_leaf


@njit(cache=True)
def _depth_sums_in_order(
    cut_at: np.ndarray, depths: np.ndarray, first_leaf: np.ndarray, steps: int
) -> np.ndarray:
    """Sum the trees' depths at each step, tree after tree as in scikit-learn: order decides the rounding.

    Parameters
    ----------
    cut_at
        The edge at which each cut lies.
    depths, first_leaf
        Of `_Trees`.
    steps
        One more than edges.
    """
    sums = np.zeros(steps)
    for tree in range(len(first_leaf) - 1):
        start = 0
        for leaf in range(first_leaf[tree], first_leaf[tree + 1]):
            end = cut_at[leaf - tree] + 1 if leaf + 1 < first_leaf[tree + 1] else steps
            depth = depths[leaf]
            for step in range(start, end):
                sums[step] += depth
            start = end
    return sums


@njit(cache=True)
def _exact_depth_sums(
    cut_at: np.ndarray, depths: np.ndarray, first_leaf: np.ndarray, steps: int
) -> np.ndarray:
    """Return the same for float32 depths, from their changes at the edges.

    A float64 holds the sums of so many float32 depths without rounding, so that no order matters.
    """
    sums = np.zeros(steps)
    for tree in range(len(first_leaf) - 1):
        sums[0] += depths[first_leaf[tree]]
        for leaf in range(first_leaf[tree] + 1, first_leaf[tree + 1]):
            sums[cut_at[leaf - 1 - tree] + 1] += np.float64(depths[leaf]) - np.float64(depths[leaf - 1])
    for step in range(1, steps):
        sums[step] += sums[step - 1]
    return sums
