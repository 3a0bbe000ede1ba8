"""Prices at a tenth, as where the decimal point is lost."""

from collections.abc import Iterator

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.plants.data_quality.settled import after_calm
from services.detector.selftest.scene import Scene

PRINTS = 30


class LevelShiftPlant(Plant):
    """See the module."""

    detector = "level_shift"
    is_sure = False
    least_recent = 64

    def tries(self, scene: Scene) -> Iterator[list[Trade]]:
        """See `Plant`."""
        yield self.prints(scene)
        yield self._shifted(scene, is_calm_first=True)

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return self._shifted(scene, is_calm_first=False)

    def _shifted(self, scene: Scene, is_calm_first: bool) -> list[Trade]:
        prices = scene.price / 10 + scene.tick * np.tile([0.0, 1.0, 0.0], PRINTS // 3)
        sides = ["A", "B"] * (PRINTS // 2)
        return after_calm(scene, 1.0 + 0.5 * np.arange(PRINTS), prices, sides, is_calm_first)
