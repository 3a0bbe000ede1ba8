"""Each print twice."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class RepeatedFeedPlant(Plant):
    """See the module."""

    detector = "repeated_feed"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        pairs = 180
        sizes = 1.0 + np.arange(pairs)
        prices = scene.price + scene.tick * np.resize([0.0, 1.0, 2.0, 1.0, 0.0, -1.0], pairs)
        at = scene.after(np.repeat(1.0 + 0.05 * np.arange(pairs), 2) + np.tile([0.0, 0.01], pairs))
        sides = [side for pair in range(pairs) for side in 2 * "AB"[pair // 3 % 2]]
        return scene.prints(at, np.repeat(prices, 2), np.repeat(sizes, 2), sides)
