"""Gradient boosting by XGBoost, on histograms."""

import platform

import numpy as np
import xgboost

from services.detector.models.manifest import Scaling
from services.detector.offline.training.kinds.base import Fitted, OnRound, Trainer
from services.detector.offline.training.rows import FEATURES, Rows

MOST_ROUNDS = 200
PATIENCE = 20
ANOMALIES_SHARE = 0.05
"""Share of the whole weight that anomalies get while learning; far fewer would hardly move a tree."""


class XGBoostTrainer(Trainer):
    """See `Trainer`. Early stopping goes by the average precision of the later day, as it is weighted."""

    kind = "xgboost"
    threads = 1  # two gain little on so few rows, and lose much on a busy machine

    def __init__(self) -> None:
        self.settings = {
            "objective": "binary:logistic",
            "eval_metric": "aucpr",
            "tree_method": "hist",
            "max_bin": 128,
            "max_depth": 5,
            "eta": 0.1,
            "subsample": 0.8,
            "colsample_bytree": 0.5,
            "min_child_weight": 2.0,
            "lambda": 2.0,
        }

    def fit(self, train: Rows, stop: Rows, seed: int, on_round: OnRound) -> Fitted:  # noqa: ARG002 - it is fast
        """See `Trainer`."""
        learnt = self._table(train, _balanced(train))
        later = self._table(stop, stop.weight, learnt)
        booster = xgboost.train(
            {**self.settings, "seed": seed, "nthread": self.threads, "verbosity": 0},
            learnt,
            MOST_ROUNDS,
            evals=[(later, "later")],
            early_stopping_rounds=PATIENCE,
            verbose_eval=False,
        )
        rounds = int(booster.best_iteration) + 1
        # The best rounds alone, without what was noted on the way to them.
        best = booster[:rounds]
        for name in list(best.attributes()):
            best.set_attr(**{name: None})
        return Fitted(bytes(best.save_raw("ubj")), Scaling(), rounds)

    def versions(self) -> dict[str, str]:
        """See `Trainer`."""
        return {
            "python": platform.python_version(),
            "xgboost": str(xgboost.__version__),
            "numpy": np.__version__,
        }

    def _table(
        self, rows: Rows, weight: np.ndarray, like: "xgboost.QuantileDMatrix | None" = None
    ) -> "xgboost.QuantileDMatrix":
        """Cut features into bins of a byte each; no other copy of the rows is kept."""
        return xgboost.QuantileDMatrix(
            rows.values,
            label=rows.label,
            weight=weight.astype(np.float32),
            feature_names=list(FEATURES),
            max_bin=int(self.settings["max_bin"]),
            nthread=self.threads,
            ref=like,
        )


def _balanced(rows: Rows) -> np.ndarray:
    """Return weights in which anomalies have their share, with the rows' mean weight as 1."""
    is_event = rows.label > 0
    weight = rows.weight.copy()
    weight[is_event] *= ANOMALIES_SHARE / weight[is_event].sum()
    weight[~is_event] *= (1 - ANOMALIES_SHARE) / weight[~is_event].sum()
    scaled: np.ndarray = weight * len(rows)
    return scaled
