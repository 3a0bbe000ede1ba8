"""From a model's raw output to a probability: isotonic regression, corrected for the true rate.

Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002;
Saerens, Latinne and Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities",
Neural Computation 2002.
"""

import numpy as np
from sklearn.isotonic import IsotonicRegression

from services.detector.models.manifest import TAIL_SHARE, Ordinary, Scaling
from services.detector.offline.training.rows import Rows

_LEAST_ROOM = 0.01
"""In the unit of raw outputs."""


def calibrated(scaling: Scaling, raw: np.ndarray, rows: Rows, true_rate: float) -> Scaling:
    """Return a scaling with the curve from raw outputs to probabilities, and what ordinary trades score.

    Parameters
    ----------
    scaling
        What is done to the inputs.
    raw
        The model's output of the rows, shape (n,).
    rows
        Trades that the model has not learnt from, n of them; both labels occur.
    true_rate
        Share of anomalies among real trades, which is not that among these.
    """
    label, weight = rows.label, rows.weight
    regression = IsotonicRegression(y_min=0.0, y_max=1.0).fit(raw, label, sample_weight=weight)
    # No trade is certain: as if one more anomaly, and one more ordinary trade, had been anywhere.
    anomalies, all_weight = float(weight[label > 0].sum()), float(weight.sum())
    least, most = 1 / (all_weight + 2), 1 - 1 / (anomalies + 2)
    probability = np.clip(regression.y_thresholds_.astype(np.float64), least, most)
    odds = probability / (1 - probability) * _odds(true_rate) / _odds(anomalies / all_weight)
    return Scaling(
        [float(one) for one in regression.X_thresholds_],
        [float(one) for one in odds / (1 + odds)],
        scaling.center,
        scaling.scale,
        # A false alarm counts more than other trades to learn from, and comes no more often.
        _ordinary(raw[label == 0], rows.trades[label == 0]),
    )


def _ordinary(raw: np.ndarray, trades: np.ndarray) -> Ordinary:
    """Return what ordinary trades score; a model that gives most of them the same is given some room."""
    middle, threshold = np.quantile(raw, [0.5, 1 - TAIL_SHARE], weights=trades, method="inverted_cdf")
    threshold = max(threshold, middle + _LEAST_ROOM)
    is_beyond = raw > threshold
    excess = np.average(raw[is_beyond] - threshold, weights=trades[is_beyond]) if is_beyond.any() else 0.0
    return Ordinary(float(middle), float(threshold), float(max(excess, _LEAST_ROOM)))


def _odds(rate: float) -> float:
    return rate / (1 - rate)
