"""One print a fifth above the market."""

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class OffMarketPricePlant(Plant):
    """See the module."""

    detector = "off_market_price"
    value_is = "price"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        return scene.prints(scene.after(0.5), scene.price + 0.2 * abs(scene.price) + 20 * scene.tick)
