"""Hundreds of prints of one share within seconds."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class OddLotFloodPlant(Plant):
    """See the module."""

    detector = "odd_lot_flood"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        count = 480
        prices = scene.price + scene.tick * np.tile([0.0, 1.0, 2.0, 1.0, -1.0, 0.0], count // 6)
        sides = ["A", "B", "B", "A"] * (count // 4)
        return scene.prints(scene.after(1.0 + 0.009 * np.arange(count)), prices, 1.0, sides)
