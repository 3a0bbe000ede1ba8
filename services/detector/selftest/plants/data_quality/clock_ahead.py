"""A print whose stamp is half an hour ahead."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant, needs
from services.detector.selftest.scene import SECOND_NS, Scene

AHEAD_S = 1_800.0


class ClockAheadPlant(Plant):
    """See the module. What the print seemed to end is told once the tape has come to where it was."""

    detector = "clock_ahead"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        needs(scene.end_ns - scene.now_ns > 2 * AHEAD_S * SECOND_NS, "the day is nearly over")
        seconds = np.array([1.0, 2.0 + AHEAD_S, 3.0, 4.0, 5.0, AHEAD_S + 60.0, AHEAD_S + 61.0])
        is_ahead = np.arange(len(seconds)) == 1
        delays = None
        if scene.delay_ns is not None:
            delays = scene.delay_ns - np.where(is_ahead, int(AHEAD_S * SECOND_NS), 0)
        prices = scene.price + scene.tick * np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
        sides = ["A", "B", "A", "B", "A", "B", "A"]
        return scene.prints(scene.after(seconds), prices, sides=sides, delays_ns=delays)
