"""One print of a thousand mean sizes, and 200,000 at least."""

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class HighVolumePlant(Plant):
    """See the module."""

    detector = "high_volume"
    value_is = "size"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return scene.prints(scene.after(0.5), scene.price, max(1_000 * scene.mean_size, 200_000.0))
