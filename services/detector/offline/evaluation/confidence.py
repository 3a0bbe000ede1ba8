"""Confidence intervals over days, by the bootstrap (Efron 1979)."""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2_000
CONFIDENCE = 0.95
_SEED = 1979


def interval_of_mean(days: Sequence[float]) -> tuple[float, float] | None:
    """Return the interval of a mean of each day's figure, 95 %; None of fewer than two days."""
    return interval_of_ratio(days, [1.0] * len(days))


def interval_of_ratio(
    numerators: Sequence[float], denominators: Sequence[float]
) -> tuple[float, float] | None:
    """Return the interval of a ratio of sums over days, 95 %.

    Parameters
    ----------
    numerators, denominators
        Each day's part of the two sums; days are drawn whole, with replacement. Draws whose denominator is
        0 are left out.

    Returns
    -------
    tuple or None
        Its two ends; None if fewer than two days have a denominator.
    """
    if np.count_nonzero(denominators) < 2:
        return None
    chosen = np.random.default_rng(_SEED).integers(0, len(numerators), (RESAMPLES, len(numerators)))
    above, below = np.array(numerators, float)[chosen].sum(1), np.array(denominators, float)[chosen].sum(1)
    ratios = above[below > 0] / below[below > 0]
    low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
