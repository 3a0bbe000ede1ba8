"""One print at one and a half times the price, of a hundred times the size."""

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class ZScorePlant(Plant):
    """See the module."""

    detector = "z_score"
    is_sure = False
    least_recent = 40

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return scene.prints(scene.after(0.5), scene.price * 1.5, 100 * scene.mean_size)
