"""Hundreds of prints of both sides, up and down, with one time stamp."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class StuckClockPlant(Plant):
    """See the module."""

    detector = "stuck_clock"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        count = 480
        prices = scene.price + scene.tick * np.tile([0.0, 2.0], count // 2)
        return scene.prints(scene.after(np.full(count, 1.0)), prices, sides=["A", "B"] * (count // 2))
