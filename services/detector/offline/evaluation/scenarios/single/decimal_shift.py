"""A slipped decimal point."""

import numpy as np

from services.detector.offline.evaluation.scenarios.single.base import SinglePrint
from services.detector.offline.evaluation.scenarios.styles import Draw


class DecimalShift(SinglePrint):
    """A price times or divided by 10 or 100."""

    name = "decimal_shift"

    def price(self, rng: np.random.Generator, market: int, draw: Draw) -> int | None:  # noqa: ARG002
        """See `SinglePrint`."""
        return round(market * draw.number("factor"))
