"""Prices at three times the market, up to the refit that is to find them."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import Plant
from services.detector.selftest.scene import Scene


class PriceHistoryForestPlant(Plant):
    """See the module."""

    detector = "price_history_forest"
    is_live = False
    why_not_live = "its state is the whole history, which cannot be copied, and it learns every 1,000 trades"

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        count = 1_100
        # Ordinary prices lie around a level, few of them far from it, or none would be isolated.
        spread = np.random.default_rng(1).normal(0.0, 0.002, count)
        prices = scene.price * (1.0 + spread)
        prices[-5:] = 3 * scene.price
        return scene.prints(scene.after(0.1 * np.arange(1, count + 1)), prices)
