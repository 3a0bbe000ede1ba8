"""A burst of medium strength just after a moment at which imbalances are told."""

from collections.abc import Iterator

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant, needs
from services.detector.selftest.scene import MINUTE_NS, SECOND_NS, Scene


class ScheduledBurstPlant(Plant):
    """See the module."""

    detector = "scheduled_burst"
    is_sure = False

    def tries(self, scene: Scene) -> Iterator[list[Trade]]:
        """See `Plant`."""
        yield self.prints(scene)
        for move in (0.0003, 0.0005, 0.002, 0.004, 0.007, 0.012, 0.02):
            yield self._burst(scene, move)

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return self._burst(scene, 0.001)

    def _burst(self, scene: Scene, move: float) -> list[Trade]:
        beat_ns = scene.closing_ns - 9 * MINUTE_NS
        needs(bool(scene.closing_ns), "the day has no auctions")
        needs(scene.now_ns < beat_ns - 10 * SECOND_NS, "the moments before the close are near, or over")
        count = 60
        at = np.concatenate(
            [
                scene.after(-5.0 + 0.5 * np.arange(8), beat_ns),
                scene.after(0.01 + 0.004 * np.arange(count), beat_ns),
            ]
        )
        way = np.concatenate(
            [
                scene.tick * np.tile([0.0, 1.0], 4),
                np.linspace(0.0, move * abs(scene.price) + 4 * scene.tick, count),
            ]
        )
        return scene.prints(at, scene.price + way)
