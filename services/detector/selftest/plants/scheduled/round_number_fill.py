"""Hundreds of equal prints within a second, at a whole price."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant, needs
from services.detector.selftest.scene import Scene

COUNT = 240


def gathering_unit(scene: Scene) -> float:
    """Return what orders gather at whole multiples of: half a unit, or half of the price's third digit."""
    return 0.5 if abs(scene.price) < 1_000 else 0.5 * 10.0 ** (np.floor(np.log10(abs(scene.price))) - 2)


class RoundNumberFillPlant(Plant):
    """See the module."""

    detector = "round_number_fill"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        unit = gathering_unit(scene)
        price = float(np.round(scene.price / unit) * unit)
        needs(price != 0.0, "the price is below half a unit, where orders gather nowhere")
        return scene.prints(scene.after(1.0 + 0.002 * np.arange(COUNT)), price, 37 * scene.whole(1.0))
