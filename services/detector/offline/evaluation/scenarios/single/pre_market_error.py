"""A wrong price while spreads are wide."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import off_by
from services.detector.offline.evaluation.scenarios.single.base import SinglePrint
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.sources.ticks import on_grid


class PreMarketError(SinglePrint):
    """A price off by a share of it, before the opening."""

    name = "pre_market_error"

    def price(self, rng: np.random.Generator, market: int, draw: Draw) -> int | None:
        """See `SinglePrint`."""
        return int(on_grid(market * off_by(rng, draw.number("distance"))))
