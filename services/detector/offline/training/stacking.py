"""Puts a model's output together with the calibrated evidence: added to it, or in place of a part."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

from services.detector.features.registry import NAMES
from services.detector.offline.training.rows import COLUMNS, Rows, evidence_of

WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Of the model's log odds beside the evidence; one is chosen on the day that also stops the training."""
_QUANTILES = (0.999, 0.9999)
_OTHERS = [NAMES.index(f"measure_{part}_evidence") for part in ("price", "size")]
_BURST = NAMES.index("measure_burst_evidence")


@dataclass(frozen=True)
class Stack:
    """How a model and the evidence are put together.

    Parameters
    ----------
    weight
        Of the log odds beside the greatest evidence.
    slope, offset
        Bring the log odds to the scale of the burst's evidence, whose place they take.
    """

    weight: float
    slope: float
    offset: float

    def added(self, features: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """Return evidence and weighted log odds together, shape (n,); `features` are `NAMES`."""
        return evidence_of(features) + self.weight * raw

    def in_place_of_bursts(self, features: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """Return the greatest of price's and size's evidence and the model's, shape (n,)."""
        others = np.nan_to_num(features[:, _OTHERS]).max(axis=1)
        greatest: np.ndarray = np.maximum(others, self.slope * raw + self.offset)
        return greatest


def all_features(rows: Rows) -> np.ndarray:
    """Return the last prints' features in the columns of `NAMES`, not a number where they were left out."""
    found = np.full((len(rows), len(NAMES)), np.nan, np.float32)
    found[:, COLUMNS] = rows.last(1).values
    return found


def fit_stack(stop: Rows, raw: np.ndarray) -> Stack:
    """Choose how to put a model and the evidence together, on a day that the model has not learnt from.

    Parameters
    ----------
    stop
        That day's rows, n of them.
    raw
        The model's output, shape (n,).
    """
    features = all_features(stop)
    evidence = evidence_of(features)

    def quality(weight: float) -> float:
        return float(average_precision_score(stop.label, evidence + weight * raw, sample_weight=stop.weight))

    is_ordinary = stop.label == 0
    weight = stop.weight[is_ordinary]
    low, high = _quantiles(raw[is_ordinary], weight)
    burst = np.nan_to_num(features[is_ordinary, _BURST]).astype(np.float64)
    burst_low, burst_high = _quantiles(burst, weight)
    slope = (burst_high - burst_low) / (high - low) if high > low else 0.0
    return Stack(max(WEIGHTS, key=quality), slope, burst_high - slope * high)


def _quantiles(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    low, high = (min(int(np.searchsorted(share, q)), len(order) - 1) for q in _QUANTILES)
    return float(values[order[low]]), float(values[order[high]])
