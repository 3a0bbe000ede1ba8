"""Isolation Forest: a trade that random cuts separate from the recent ones after few steps.

Liu, Ting and Zhou, "Isolation Forest", ICDM 2008; the trees are coniferest's, which fit and score the
same model as scikit-learn's in a fraction of the time.
"""

import hashlib

import numpy as np
from coniferest.isoforest import IsolationForest as Forest

from services.common.contracts import Label
from services.detector.detectors.base import Flags, score_beyond
from services.detector.detectors.rapid_price_change import price_change
from services.detector.ticks import Ticks

FEATURES = ("price_change", "log_size", "log_gap")
"""Change from the trade before (ratio), log(1 + shares), log10 of the seconds since the trade before."""

SHORTEST_GAP_S = 1e-6


class IsolationForest:
    """Flags the share of trades that is easiest to isolate among the recent ones.

    A forest learns from the last `window_trades` trades and is fitted again every `refit_trades`; the
    trades before the first fit are not judged.

    Parameters
    ----------
    symbol, session
        Seed the forests, together with the number of trades seen.
    contamination
        The share of the learnt trades that a new one must be beyond, 0 to 0.5.
    refit_trades, window_trades, trees, subsample_trades
        Sizes, all at least 1.
    """

    name = "isolation_forest"
    label = Label.ISOLATION_FOREST

    def __init__(
        self,
        symbol: str,
        session: str,
        contamination: float = 0.01,
        refit_trades: int = 1_000,
        window_trades: int = 5_000,
        trees: int = 100,
        subsample_trades: int = 256,
    ) -> None:
        self._seed_text = f"{symbol}/{session}"
        self._contamination = contamination
        self._refit_trades = refit_trades
        self._window_trades = window_trades
        self._trees = trees
        self._subsample_trades = subsample_trades
        self._seen_trades = 0
        self._last_price = np.nan
        self._last_ns = 0
        self._window = np.empty((0, len(FEATURES)))
        self._forest: Forest | None = None
        self._threshold = np.inf
        self._typical = np.nan

    def flag(self, ticks: Ticks) -> Flags:
        """See `Detector`; value, expected and threshold are anomaly scores of the forest, 0 to 1."""
        features = self._features(ticks)
        value = np.full(len(ticks), -np.inf)
        threshold = np.full(len(ticks), np.inf)
        expected = np.full(len(ticks), np.nan)
        signature = np.zeros_like(features)
        start = 0
        while start < len(ticks):
            until_fit = self._refit_trades - self._seen_trades % self._refit_trades
            part = slice(start, min(start + until_fit, len(ticks)))
            rows = features[part]
            if self._forest is not None:
                value[part] = -self._forest.score_samples(rows)
                threshold[part] = self._threshold
                expected[part] = self._typical
                beyond = start + np.flatnonzero(value[part] > self._threshold)
                if len(beyond):
                    signature[beyond] = _signature(self._forest, features[beyond])
            self._window = np.concatenate((self._window, rows))[-self._window_trades :]
            self._seen_trades += len(rows)
            if self._seen_trades % self._refit_trades == 0:
                self._fit()
            start = part.stop
        at = np.flatnonzero(value > threshold)
        # A short path in a feature's cuts gives it a low signature; the least isolating feature counts 0.
        shortness = signature[at].max(axis=1, keepdims=True, initial=-np.inf) - signature[at]
        total = shortness.sum(axis=1, keepdims=True)
        shares = np.where(total > 0, shortness / np.where(total > 0, total, 1), 1 / len(FEATURES))
        return Flags(
            at=at,
            score=score_beyond(value[at], threshold[at]),
            value=value[at],
            expected=expected[at],
            threshold=threshold[at],
            reasons=[
                self._reason(row, int(size)) for row, size in zip(features[at], ticks.size[at], strict=True)
            ],
            contributions={name: shares[:, column] for column, name in enumerate(FEATURES)},
            features={name: features[at, column] for column, name in enumerate(FEATURES)},
        )

    def _features(self, ticks: Ticks) -> np.ndarray:
        """Return float64, shape (n, len(FEATURES))."""
        before = np.concatenate(([self._last_price], ticks.price[:-1]))
        gap_ns = np.diff(ticks.event_ns, prepend=self._last_ns or ticks.event_ns[0])
        self._last_price = ticks.price[-1]
        self._last_ns = int(ticks.event_ns[-1])
        return np.column_stack(
            (
                price_change(ticks.price, before),
                np.log1p(ticks.size),
                np.log10(np.maximum(gap_ns / 1e9, SHORTEST_GAP_S)),
            )
        )

    def _fit(self) -> None:
        digest = hashlib.sha256(f"{self._seed_text}/{self._seen_trades}".encode()).digest()
        self._forest = Forest(
            n_trees=self._trees,
            n_subsamples=min(self._subsample_trades, len(self._window)),
            random_seed=int.from_bytes(digest[:4], "little"),
            n_jobs=1,
        ).fit(self._window)
        learnt = -self._forest.score_samples(self._window)
        self._threshold = float(np.quantile(learnt, 1 - self._contamination))
        self._typical = float(np.median(learnt))

    def _reason(self, row: np.ndarray, size_shares: int) -> str:
        change, _, log_gap = row
        rank = f"{100 * (1 - self._contamination):.4g} %"
        return (
            f"{size_shares:,} shares at {_change(change)} the trade before, {_duration(10**log_gap)} "
            f"after it: a combination more isolated than {rank} of the recent trades"
        )


def _signature(forest: Forest, rows: np.ndarray) -> np.ndarray:
    """Return how long the paths in each feature's cuts are; a feature that no tree cuts isolates least."""
    with np.errstate(invalid="ignore"):
        signature = forest.feature_signature(rows)
    return np.where(np.isnan(signature), np.nanmax(signature, axis=1, keepdims=True), signature)


def _change(ratio: float) -> str:
    return f"a price {abs(ratio):.3%} {'above' if ratio > 0 else 'below'}" if ratio else "the price of"


def _duration(seconds: float) -> str:
    for unit, length_s in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= length_s:
            return f"{seconds / length_s:,.3g} {unit}"
    return f"{seconds / 1e-6:,.3g} µs"
