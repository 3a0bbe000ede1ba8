"""What a trained model and its challenger have judged, for metrics: no part of any anomaly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ModelTally:
    """What a model has judged, and the challenger beside it, or one of them alone.

    Parameters
    ----------
    model, challenger
        `NAME@` and twelve digits of the digest; empty where there is none.
    judged
        Trades.
    both, model_only, challenger_only
        How many of them each flags; what is not there flags none.
    features
        Of the model; of a challenger that is alone.
    expected
        Shares of the training days by part, shape (features, parts); see `drift.DriftCounter`.
    sampled
        Trades of a sample by part, of the same shape.
    """

    model: str
    challenger: str
    judged: int
    both: int
    model_only: int
    challenger_only: int
    features: Sequence[str]
    expected: np.ndarray
    sampled: np.ndarray
