"""One size at one price, bought and sold in turn."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class MatchedPairsPlant(Plant):
    """See the module."""

    detector = "matched_pairs"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        count = 60
        size = 731 * scene.whole(scene.mean_size / 400)
        return scene.prints(
            scene.after(1.0 + 0.3 * np.arange(count)), scene.price, size, ["A", "B"] * (count // 2)
        )
