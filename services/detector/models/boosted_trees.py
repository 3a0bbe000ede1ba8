"""Gradient-boosted trees of XGBoost, in UBJSON, its documented format."""

import numpy as np
import xgboost

from services.detector.models.base import TrainedModel
from services.detector.models.manifest import Scaling


class BoostedTrees(TrainedModel):
    """See `TrainedModel`; the raw output is the log odds, and contributions are exact tree SHAP values."""

    def __init__(self, model: bytes, features: int, scaling: Scaling) -> None:  # noqa: ARG002 - trees need none
        self._booster = xgboost.Booster({"nthread": 1})
        try:
            self._booster.load_model(bytearray(model))
        except (xgboost.core.XGBoostError, ValueError, UnicodeDecodeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "unreadable"
            raise ValueError(f"XGBoost cannot read it: {reason}") from error
        self._booster.set_param({"nthread": 1})
        if self._booster.num_features() != features:
            raise ValueError(
                f"its trees take {self._booster.num_features()} features, and its manifest names {features}"
            )

    def raw(self, rows: np.ndarray) -> np.ndarray:
        """See `TrainedModel`."""
        if not len(rows):
            return np.zeros(0)
        table = np.ascontiguousarray(rows, np.float32)
        found = self._booster.inplace_predict(table, predict_type="margin", validate_features=False)
        return np.asarray(found, np.float64)

    def contributions(self, rows: np.ndarray) -> np.ndarray:
        """See `TrainedModel`; without the constant that all rows have."""
        if not len(rows):
            return np.zeros(rows.shape)
        table = xgboost.DMatrix(np.ascontiguousarray(rows, np.float32), nthread=1)
        found = self._booster.predict(table, pred_contribs=True, validate_features=False)
        return np.asarray(found, np.float64)[:, :-1]
