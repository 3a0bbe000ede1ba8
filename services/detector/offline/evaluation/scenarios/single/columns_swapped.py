"""A price in the column of sizes, and the size in that of prices."""

import numpy as np

from services.detector.offline.evaluation.scenarios.single.base import SinglePrint
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.columns import PRICE_SCALE


class ColumnsSwapped(SinglePrint):
    """100 shares at 138.42 as 138 shares at 100."""

    name = "columns_swapped"

    def price_and_size(
        self, rng: np.random.Generator, tape: Tape, place: int, draw: Draw
    ) -> tuple[int, int] | None:
        """See `SinglePrint`."""
        market = tape.price_at(place)
        price = self.price(rng, int(tape.sample_sizes(rng, place, 1)[0]) * PRICE_SCALE, draw)
        if price is None or abs(price / market - 1) < draw.number("least_distance"):
            return None
        return price, max(1, round(market / PRICE_SCALE))

    def price(self, rng: np.random.Generator, market: int, draw: Draw) -> int | None:  # noqa: ARG002
        """See `SinglePrint`."""
        return market
