"""Huge prints that carry the price away within a moment, as injected bursts and fat fingers do."""

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.plants.multivariate.isolation_forest import IsolationForestPlant
from services.detector.selftest.scene import Scene


class TrainedModelPlant(Plant):
    """See the module."""

    detector = "trained_model"
    is_sure = False
    is_live = False
    why_not_live = "what a model finds depends on the labels that it learnt from"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return IsolationForestPlant().prints(scene)
