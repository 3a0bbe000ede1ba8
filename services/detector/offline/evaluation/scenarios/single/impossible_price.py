"""A price that no market has."""

import numpy as np

from services.detector.offline.evaluation.scenarios.single.base import SinglePrint
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.sources.columns import PRICE_SCALE


class ImpossiblePrice(SinglePrint):
    """A price next to zero, of zero, or with a minus sign."""

    name = "impossible_price"

    def price(self, rng: np.random.Generator, market: int, draw: Draw) -> int | None:  # noqa: ARG002
        """See `SinglePrint`."""
        shape = draw.text("shape")
        return {"least": PRICE_SCALE // 10_000, "zero": 0, "negative": -market}[shape]
