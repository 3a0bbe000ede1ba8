"""Prints that have all lost their side."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class ColumnChangePlant(Plant):
    """See the module."""

    detector = "column_change"
    is_sure = False
    is_live = False
    why_not_live = "it asks for hundreds of moments before it calls a column changed"
    least_recent = 64

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        count = 3_000
        prices = scene.price + scene.tick * np.resize([0.0, 1.0, 0.0, 0.0, -1.0, 0.0], count)
        sizes = scene.mean_size * np.resize([0.2, 1.0, 0.5, 2.0, 0.3], count)
        return scene.prints(scene.after(1.0 + 0.25 * np.arange(count)), prices, sizes, "N")
