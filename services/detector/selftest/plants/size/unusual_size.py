"""One block far beyond the session's sizes, at the market's price."""

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene

BLOCK = 20_000_000.0
"""Worth of the block at least, in the currency's units."""


class UnusualSizePlant(Plant):
    """See the module."""

    detector = "unusual_size"
    value_is = "size"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        worth = BLOCK / max(abs(scene.price), 1e-9)
        size = scene.whole(max(300 * scene.mean_size, 3 * max(t.size for t in scene.recent), worth))
        return scene.prints(scene.after(0.5), scene.price, size)
