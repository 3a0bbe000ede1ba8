"""News: prints come fast and the price runs, at once or step by step, and nobody trades at the old level."""

from collections.abc import Iterator

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class FastMarketPlant(Plant):
    """See the module."""

    detector = "fast_market"
    is_sure = False

    def tries(self, scene: Scene) -> Iterator[list[Trade]]:
        """See `Plant`."""
        yield self.prints(scene)
        for ratio in (0.08, 0.25):
            count = 480
            way = np.linspace(0.0, ratio * abs(scene.price) + 60 * scene.tick, count)
            yield scene.prints(
                scene.after(1.0 + 0.06 * np.arange(count)),
                scene.price + way,
                2 * scene.mean_size,
                ["B", "B", "A"] * (count // 3),
            )

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        count = 300
        seconds = 1.0 + 0.2 * np.arange(count)
        level = scene.price + 0.05 * abs(scene.price) + 40 * scene.tick
        prices = level + scene.tick * np.tile([0.0, 1.0, 2.0, 3.0, 2.0, 1.0], count // 6)
        return scene.prints(scene.after(seconds), prices, sides=["A", "B"] * (count // 2))
