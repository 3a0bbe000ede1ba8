"""What may have gone wrong with a price that is far from the market: a guess that is checked at a glance."""

from itertools import pairwise

NEAR_SHARE = 0.02
"""How near a corrected price must come to the recent ones, as a share of them."""
DECIMAL_PLACES = (1, 2, 3, 4)


def slip_text(price: float, low: float, high: float) -> str:
    """Return a guess at the slip, such as `x100: a slipped decimal point?`; empty if none explains the price.

    Parameters
    ----------
    price
        The price.
    low, high
        The recent prices: what a corrected price must come near to.
    """
    if price <= 0.0 or low <= 0.0:
        return ""
    margin = NEAR_SHARE * high
    if low - margin <= price <= high + margin:
        return ""
    for places in DECIMAL_PLACES:
        factor = 10**places
        if low - margin <= price / factor <= high + margin:
            return f"x{factor}: a slipped decimal point?"
        if low - margin <= price * factor <= high + margin:
            return f"/{factor}: a slipped decimal point?"
    corrected = _digits_swapped_back(price, low - 0.1 * margin, high + 0.1 * margin)
    return f"digits of {corrected} swapped?" if corrected else ""


def _digits_swapped_back(price: float, low: float, high: float) -> str:
    """Return the price between two others that differs by two neighbouring digits; empty without one."""
    digits = f"{price:.2f}"  # cents have two digits
    if abs(float(digits) - price) > 1e-6 * price:
        digits = f"{price:.10g}"
    if "e" in digits:
        return ""
    found = [at for at, digit in enumerate(digits) if digit.isdigit()]
    for first, second in pairwise(found):
        swapped = list(digits)
        swapped[first], swapped[second] = swapped[second], swapped[first]
        text = "".join(swapped)
        if text != digits and low <= float(text) <= high:
            return text
    return ""
