"""The legend of the charts: shapes and colours with counts, as text that wraps in a narrow window."""

from collections.abc import Mapping, Sequence
from html import escape

from dashboard.ui.palette import (
    CANDLE_COLORS,
    PRICE_COLOR,
    SHAPE_SIGNS,
    SIDE_COLORS,
    SIDE_NAMES,
    label_shapes,
)
from services.contracts.anomaly import SEVERITY_COLORS

_ROW = "display:flex;flex-wrap:wrap;gap:0.15rem 1.1rem;font-size:0.875rem;line-height:1.5"


Entry = tuple[str, str, str, int]
"""A sign, its colour, what it means, and how many there are."""


def legend_html(
    by_severity: Mapping[str, int],
    by_label: Mapping[str, int],
    candles: bool = False,
    happened: Sequence[Entry] = (),
) -> str:
    """Return the legend as HTML in which names from the data are only text.

    Parameters
    ----------
    by_severity, by_label
        How many anomalies have it; those that none has are left out.
    candles
        The prices are drawn as candles.
    happened
        Entries for what happened to the feed, and for what the venue took back.
    """
    severities = [
        entry("●", color, severity, by_severity[severity])
        for severity, color in reversed(SEVERITY_COLORS.items())
        if by_severity.get(severity)
    ]
    labels = [
        entry(SHAPE_SIGNS[shape], "inherit", label, by_label[label])
        for label, shape in label_shapes(by_label).items()
    ]
    sides = [entry("■", SIDE_COLORS[side], name) for side, name in SIDE_NAMES.items()]
    price = [entry("━", PRICE_COLOR, "Last price and price range")]
    if candles:
        price = [entry("▮", color, f"Price went {way}") for way, color in CANDLE_COLORS.items()]
    groups = "".join(
        f'<div style="{_ROW}">{"".join(group)}</div>'
        for group in (severities, labels, price + sides, [entry(*one) for one in happened])
        if group
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:0.15rem 2.4rem">{groups}</div>'


def entry(sign: str, color: str, name: str, count: int | None = None) -> str:
    """Return a sign, what it means, and how many there are, as HTML in which the name is only text."""
    number = "" if count is None else f' <span style="opacity:0.65">{count:,}</span>'
    return (
        f'<span style="white-space:nowrap"><span style="color:{color}">{sign}</span> '
        f"{escape(name)}{number}</span>"
    )
