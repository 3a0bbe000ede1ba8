"""Huge prints that carry the price away within a moment."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class IsolationForestPlant(Plant):
    """See the module."""

    detector = "isolation_forest"
    is_sure = False
    is_live = False
    why_not_live = "its trees are fitted from 1,000 trades on, and fitting them for a copy costs too much"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        count = 60
        way = np.linspace(0.0, 0.1 * abs(scene.price) + 60 * scene.tick, count)
        at = scene.after(0.5 + 0.003 * np.arange(count))
        return scene.prints(at, scene.price + way, 500 * scene.mean_size)
