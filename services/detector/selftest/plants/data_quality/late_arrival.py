"""Prints that are received minutes after their time."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import NotNowError, Plant
from services.detector.selftest.scene import SECOND_NS, Scene


class LateArrivalPlant(Plant):
    """See the module."""

    detector = "late_arrival"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        delay = scene.delay_ns
        if delay is None:
            raise NotNowError("the source does not say when its prints were received")
        count = 60
        prices = scene.price + scene.tick * np.tile([0.0, 1.0, 0.0], count // 3)
        late = max(300 * SECOND_NS, 100 * abs(delay))
        return scene.prints(
            scene.after(1.0 + 0.3 * np.arange(count)), prices, sides=["A", "B"] * (count // 2), delays_ns=late
        )
