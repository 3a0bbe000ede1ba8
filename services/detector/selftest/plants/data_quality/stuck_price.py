"""A price that stands still over hundreds of moments, after it had moved with each of them."""

from collections.abc import Iterator

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene

PRINTS = 498


class StuckPricePlant(Plant):
    """See the module. How long a price usually stands still differs, so there are several tries."""

    detector = "stuck_price"
    is_sure = False
    least_recent = 64

    def tries(self, scene: Scene) -> Iterator[list[Trade]]:
        """See `Plant`."""
        yield self.prints(scene)
        yield self._stuck(scene, moving=0, every_s=6.0)
        yield self._stuck(scene, moving=100, every_s=14.0)

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return self._stuck(scene, moving=200, every_s=4.0)

    def _stuck(self, scene: Scene, moving: int, every_s: float) -> list[Trade]:
        standing = PRINTS - moving
        before = 0.5 * np.arange(1, moving + 1)
        at = np.concatenate([before, before.max(initial=0.0) + every_s * np.arange(1, standing + 1)])
        steps = np.concatenate([np.resize([1.0, 2.0, 3.0, 2.0], moving), np.zeros(standing)])
        sizes = np.resize([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], PRINTS) * scene.mean_size / 4
        return scene.prints(
            scene.after(at), scene.price + scene.tick * steps, sizes, ["A", "B"] * (PRINTS // 2)
        )
