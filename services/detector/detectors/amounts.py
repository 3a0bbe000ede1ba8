"""How far a price is from another one, what a trade is worth, and how long something took, in words."""

from collections.abc import Sequence

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


def worth_text(notional: float) -> str:
    """Write what a trade is worth, in the currency of its price: `20.8 million`."""
    for least, unit in ((1e9, "billion"), (1e6, "million")):
        if notional >= least:
            return f"{notional / least:,.3g} {unit}"
    return f"{notional:,.0f}"


def span_text(seconds: float) -> str:
    """Write a span of time as a person would: `26 ms`, `3.2 s`, `6 minutes`."""
    if seconds < 0.0005:
        return "a millisecond"
    if seconds < 1.0:
        return f"{1000 * seconds:,.0f} ms"
    if seconds < 120.0:
        return f"{seconds:,.3g} s"
    return f"{seconds / 60:,.0f} minutes"


def continued(sentence: str, additions: Sequence[str]) -> str:
    """Add what comes after a sentence, and its full stop: a question is one by itself.

    Parameters
    ----------
    sentence
        With its capital, with or without its full stop, or a question.
    additions
        Each without capital and full stop.
    """
    sentence = sentence.removesuffix(".")
    more = "; ".join(additions)
    if not more:
        return sentence if sentence.endswith("?") else f"{sentence}."
    if sentence.endswith("?"):
        return f"{sentence} {more[0].upper()}{more[1:]}."
    return f"{sentence}; {more}."
