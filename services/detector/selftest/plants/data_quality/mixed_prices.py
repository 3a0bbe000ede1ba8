"""Another symbol's prices between the own ones."""

from collections.abc import Iterator

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.plants.data_quality.settled import after_calm
from services.detector.selftest.scene import Scene

PRINTS = 120


class MixedPricesPlant(Plant):
    """See the module."""

    detector = "mixed_prices"
    is_sure = False
    least_recent = 64

    def tries(self, scene: Scene) -> Iterator[list[Trade]]:
        """See `Plant`."""
        yield self.prints(scene)
        yield self._mixed(scene, is_calm_first=True)

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return self._mixed(scene, is_calm_first=False)

    def _mixed(self, scene: Scene, is_calm_first: bool) -> list[Trade]:
        steps = scene.tick * np.resize([0.0, 0.0, 1.0, 1.0], PRINTS)
        prices = scene.price * np.tile([1.0, 1.6], PRINTS // 2) + steps
        sides = ["A", "A", "B", "B"] * (PRINTS // 4)
        return after_calm(scene, 1.0 + 0.4 * np.arange(PRINTS), prices, sides, is_calm_first)
