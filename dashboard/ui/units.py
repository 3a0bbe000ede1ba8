"""What a detection's numbers are, in words that an analyst reads."""

from services.contracts.detectors import PRICE_UNIT, SIZE_UNIT
from services.contracts.trade import mean_size_text

_SUFFIXES = {
    "in seconds": " s",
    "in standard deviations": " standard deviations",
    "in usual volumes": " times the usual",
    "in usual moves of so many prints": " times the usual",
    "equal prints": " prints",
    "small prints a second": " a second",
    "turns of the side": " turns",
    "turns at one time stamp": " turns",
}
_SHARES = ("as a share of the price before", "share of prints", "share of prints that come in pairs")
"""Written as percentages."""

_BURST = "burst intensity; 0 means no burst"


def with_unit(value: float | None, unit: str, decimals: int) -> str:
    """Write a number of a detection with its unit, such as `3,114 shares`; `-` for None.

    Parameters
    ----------
    value
        What was seen, expected, or the threshold.
    unit
        As in `DetectorSpec.unit`; another one adds nothing.
    decimals
        Of the symbol's tick.
    """
    if value is None:
        return "-"
    if unit == PRICE_UNIT:
        return f"{value:,.{decimals}f}"
    if unit == SIZE_UNIT:
        return f"{mean_size_text(value)} shares"
    if unit in _SHARES:
        return f"{value:.3%}".replace(".000%", "%")
    if unit == _BURST and value == 0:
        return "no burst"
    return number(value) + _SUFFIXES.get(unit, "")


def number(value: float | None) -> str:
    """Write a number with the digits that matter: `50,000`, `139.25`, `0.000123`; `-` for None."""
    if value is None:
        return "-"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) < 1:
        return f"{value:.4g}"
    # Four decimals for a share's price, five for a currency's.
    return (f"{value:,.4f}" if abs(value) >= 10 else f"{value:,.5f}").rstrip("0")


_MEANINGS = {
    _BURST: "strength of a burst: how far and how straight many trades moved the price within 50 ms, against "
    "what is usual in this session; 0 is no burst",
    "isolation, 0 to 1": "how easily the trade is told apart from the session's others, 0 to 1",
    "lead of one side, 0 to 1": "share by which buys lead sells, or sells buys, 0 to 1",
    "in usual volumes": "volume, in usual ones of this time of the day",
}


def meaning_of(unit: str) -> str:
    """Say what a detection's numbers measure."""
    return _MEANINGS.get(unit, unit)
