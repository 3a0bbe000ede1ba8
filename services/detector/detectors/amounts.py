"""How far a price is from another one, in words."""

MOST_AS_SHARE = 10.0
"""A distance of more than so many times the other price is told as it is, not in percent."""


def distance_text(price: float, other: float) -> str:
    """Write the distance in percent of the other price, or as it is where that would mean nothing.

    Percentages say nothing of prices of different signs, as spreads have them, or near zero.
    """
    distance = abs(price - other)
    if price * other <= 0.0 or distance > MOST_AS_SHARE * abs(other):
        return f"{distance:,.10g}"
    ratio = distance / abs(other)
    return f"{ratio:.2%}" if ratio >= 0.001 else f"{ratio:.3%}"
