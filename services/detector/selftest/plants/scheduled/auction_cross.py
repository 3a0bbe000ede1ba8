"""A huge print without a side at the next auction."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant, needs, next_auction
from services.detector.selftest.scene import Scene


class AuctionCrossPlant(Plant):
    """See the module."""

    detector = "auction_cross"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        at = scene.after([-2.0, -1.0, 5.0], next_auction(scene))
        needs(at[0] > scene.now_ns, "the auction is too near")
        size = max(1_000 * scene.mean_size, 3 * max(t.size for t in scene.recent))
        return scene.prints(
            at, scene.price, np.array([scene.mean_size, scene.mean_size, size]), ["A", "B", "N"]
        )
