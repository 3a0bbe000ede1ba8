"""Buyers who lift the price in the last half minute before the close."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant, needs
from services.detector.selftest.scene import SECOND_NS, Scene


class MarkingTheClosePlant(Plant):
    """See the module."""

    detector = "marking_the_close"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        needs(bool(scene.closing_ns), "the day has no auctions")
        needs(scene.now_ns < scene.closing_ns - 100 * SECOND_NS, "the close is near, or over")
        before, marks = 40, 60
        at = scene.closing_ns + (
            np.concatenate([np.linspace(-95.0, -41.0, before), np.linspace(-35.0, -2.0, marks)]) * SECOND_NS
        ).astype(np.int64)
        way = np.concatenate(
            [
                scene.tick * np.tile([0.0, 1.0], before // 2),
                np.linspace(0.0, 0.04 * abs(scene.price) + 40 * scene.tick, marks),
            ]
        )
        return scene.prints(at, scene.price + way, sides=["A", "B"] * (before // 2) + ["B"] * marks)
