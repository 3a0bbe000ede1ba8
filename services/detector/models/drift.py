"""How far features have moved from those of the training days: the population stability index.

Siddiqi, "Credit Risk Scorecards", Wiley 2006, ch. 10: Σ (a - e) ln(a / e) over parts of equal share, a the
share of new trades in a part and e that of the training days'; 0.1 and less is nothing, above 0.25 is much.
"""

from collections.abc import Sequence

import numpy as np

from services.detector.models.manifest import Spread

PARTS = 10
_LEAST_SHARE = 1e-4
"""A part without trades counts as if it had this share, which keeps the index finite."""


def measure_spread(rows: np.ndarray, weight: np.ndarray) -> list[Spread]:
    """Return how each feature is spread.

    Parameters
    ----------
    rows
        Features of at least one trade, shape (n, features).
    weight
        For how many trades each stands, above 0, shape (n,).
    """
    edges = np.zeros((rows.shape[1], PARTS - 1))
    quantiles = np.arange(1, PARTS) / PARTS
    for own, values in zip(edges, rows.T, strict=True):
        is_known = ~np.isnan(values)
        if is_known.any():
            own[:] = np.quantile(values[is_known], quantiles, weights=weight[is_known], method="inverted_cdf")
    shares = _counted(rows, edges, weight) / weight.sum()
    return [Spread(one.tolist(), share.tolist()) for one, share in zip(edges, shares, strict=True)]


class DriftCounter:
    """Counts trades in the parts of a spread.

    Parameters
    ----------
    spread
        Of each feature.
    """

    def __init__(self, spread: Sequence[Spread]) -> None:
        self._edges = np.array([one.edges for one in spread])
        self.expected = np.array([one.shares for one in spread])
        """Shares on the training days, shape (features, PARTS + 1)."""

    def count(self, rows: np.ndarray) -> np.ndarray:
        """Return how many rows are in each part, float64, shape (features, PARTS + 1)."""
        return _counted(rows, self._edges, np.ones(len(rows)))


def stability_index(expected: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return the index of each feature, at least 0, float64, shape (features,).

    Parameters
    ----------
    expected
        Shares by part, shape (features, parts).
    counted
        Numbers of trades, at least one in all, of the same shape.
    """
    share = np.maximum(counted / counted.sum(axis=1, keepdims=True), _LEAST_SHARE)
    usual = np.maximum(expected, _LEAST_SHARE)
    index: np.ndarray = ((share - usual) * np.log(share / usual)).sum(axis=1)
    return index


def _counted(rows: np.ndarray, edges: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weight in each part, and last of what is not a number, shape (features, PARTS + 1)."""
    part = (rows[:, :, None] > edges).sum(axis=2)
    part[np.isnan(rows)] = PARTS
    features = rows.shape[1]
    place = part + (PARTS + 1) * np.arange(features)
    counted = np.bincount(place.ravel(), np.repeat(weight, features), features * (PARTS + 1))
    return counted.reshape(features, PARTS + 1)
