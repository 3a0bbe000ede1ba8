"""Minutes in which only buyers are aggressive."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class OneSidedFlowPlant(Plant):
    """See the module."""

    detector = "one_sided_flow"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        count = 160
        prices = scene.price + scene.tick * np.tile([0.0, 1.0], count // 2)
        return scene.prints(scene.after(1.0 + 1.1 * np.arange(count)), prices, sides="B")
