"""A price that climbs step by step for minutes."""

from collections.abc import Iterator

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class PriceRampPlant(Plant):
    """See the module."""

    detector = "price_ramp"
    is_sure = False
    least_recent = 40

    def tries(self, scene: Scene) -> Iterator[list[Trade]]:
        """See `Plant`."""
        for ratio in (0.05, 0.02, 0.12):
            yield self._ramp(scene, ratio)

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return self._ramp(scene, 0.05)

    def _ramp(self, scene: Scene, ratio: float) -> list[Trade]:
        count = 480
        way = np.linspace(0.0, ratio * abs(scene.price) + 30 * scene.tick, count)
        return scene.prints(
            scene.after(1.0 + np.arange(count)), scene.price + way, sides=["B", "A"] * (count // 2)
        )
