"""One print at one and a half times the price."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class RapidPriceChangePlant(Plant):
    """See the module."""

    detector = "rapid_price_change"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return scene.prints(scene.after([0.5, 1.0]), scene.price * np.array([1.0, 1.5]))
