"""A price at three times the reference in regular hours."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant, regular_hours_left_s
from services.detector.selftest.scene import Scene


class LuldBandPlant(Plant):
    """See the module."""

    detector = "luld_band"
    value_is = "price"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        regular_hours_left_s(scene)
        return scene.prints(scene.after([0.5, 1.0, 1.5, 2.0]), scene.price * np.array([1.0, 1.0, 1.0, 3.0]))
