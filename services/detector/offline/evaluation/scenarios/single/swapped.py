"""Two neighbouring digits of a price in the wrong order."""

import numpy as np

from services.detector.offline.evaluation.scenarios.single.base import SinglePrint
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.sources.columns import PRICE_SCALE


class DigitsSwapped(SinglePrint):
    """138.42 as 183.42."""

    name = "digits_swapped"

    def price(self, rng: np.random.Generator, market: int, draw: Draw) -> int | None:  # noqa: ARG002
        """See `SinglePrint`."""
        dollars, rest = divmod(market, PRICE_SCALE)
        swapped = swap(rng, str(dollars))
        return None if swapped is None else int(swapped) * PRICE_SCALE + rest


class CentsSwapped(SinglePrint):
    """138.42 as 138.24."""

    name = "cents_swapped"

    def price(self, rng: np.random.Generator, market: int, draw: Draw) -> int | None:
        """See `SinglePrint`."""
        dollars, rest = divmod(market, PRICE_SCALE)
        swapped = swap(rng, f"{rest // (PRICE_SCALE // 100):02d}")
        if swapped is None:
            return None
        price = dollars * PRICE_SCALE + int(swapped) * (PRICE_SCALE // 100)
        return price if abs(price / market - 1) >= draw.number("least_distance") else None


def swap(rng: np.random.Generator, digits: str) -> str | None:
    """Swap two neighbouring digits that differ, without making the first one 0; None if there are none."""
    places = [
        k
        for k in range(len(digits) - 1)
        if digits[k] != digits[k + 1] and (k or digits[1] != "0" or digits[0] == "0")
    ]
    if not places:
        return None
    k = places[int(rng.integers(len(places)))]
    return digits[:k] + digits[k + 1] + digits[k] + digits[k + 2 :]
