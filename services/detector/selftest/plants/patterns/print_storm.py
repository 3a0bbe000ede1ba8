"""Hundreds of equal prints within a second, at an odd price."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant, needs
from services.detector.selftest.plants.scheduled.round_number_fill import gathering_unit
from services.detector.selftest.scene import MINUTE_NS, Scene

COUNT = 200


def odd_price(scene: Scene) -> float:
    """Return a price near the market's at which no orders gather."""
    unit = gathering_unit(scene)
    prices = [float(scene.on_grid(scene.price + steps * scene.tick)) for steps in range(1, 4)]
    return next((price for price in prices if price % unit), prices[0])


class PrintStormPlant(Plant):
    """See the module."""

    detector = "print_storm"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        near_ns = (
            scene.opening_ns if abs(scene.now_ns - scene.opening_ns) < 2 * MINUTE_NS else scene.closing_ns
        )
        needs(abs(scene.now_ns - near_ns) > 2 * MINUTE_NS, "an auction is near")
        needs(
            not 0 <= scene.closing_ns - scene.now_ns < 11 * MINUTE_NS,
            "it is the last minutes before the close",
        )
        return scene.prints(
            scene.after(1.0 + 0.002 * np.arange(COUNT)), odd_price(scene), 43 * scene.whole(1.0)
        )
