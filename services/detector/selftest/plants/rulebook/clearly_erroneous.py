"""A price at one and a half times the last sale, outside regular hours."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import MINUTE_NS, Scene


class ClearlyErroneousPlant(Plant):
    """See the module."""

    detector = "clearly_erroneous"
    value_is = "price"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        start_ns = scene.now_ns
        if scene.opening_ns <= start_ns < scene.closing_ns:
            start_ns = scene.closing_ns + 10 * MINUTE_NS
        prices = scene.price * np.array([1.0, 1.0, 1.0, 1.5])
        return scene.prints(scene.after([0.5, 1.0, 1.5, 2.0], start_ns), prices)
