"""Prints that carry the price away within a second or two."""

from collections.abc import Iterator

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class BurstPlant(Plant):
    """See the module. Where few trade, or the session is young, a burst has to be stronger."""

    detector = "burst"
    is_sure = False

    def tries(self, scene: Scene) -> Iterator[list[Trade]]:
        """See `Plant`."""
        for count, ratio in ((120, 0.03), (300, 0.15), (480, 0.5)):
            yield self._burst(scene, count, ratio)

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return self._burst(scene, 120, 0.03)

    def _burst(self, scene: Scene, count: int, ratio: float) -> list[Trade]:
        way = np.linspace(0.0, ratio * abs(scene.price) + 60 * scene.tick, count)
        return scene.prints(scene.after(0.5 + 0.003 * np.arange(count)), scene.price + way)
