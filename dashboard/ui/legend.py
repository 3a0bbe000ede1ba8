"""The legend of the charts: shapes and colours with counts, as text that wraps in a narrow window."""

from collections.abc import Mapping, Sequence
from html import escape

from dashboard.ui.palette import (
    CANDLE_COLORS,
    EXPECTED_COLOR,
    PRICE_COLOR,
    SHAPE_SIGNS,
    SIDE_COLORS,
    SIDE_NAMES,
    VWAP_COLOR,
    label_shapes,
)
from services.contracts.anomaly import SEVERITY_COLORS

_ROW = "display:flex;flex-wrap:wrap;gap:0.15rem 1.1rem;font-size:0.875rem;line-height:1.5"


def _line(style: str) -> str:
    return (
        f'<span style="display:inline-block;width:1.4em;border-top:0.15em {style};'
        'vertical-align:middle"></span>'
    )


LINE, BROKEN_LINE = _line("solid"), _line("dashed")
"""Signs of lines: as characters, the two look the same in most fonts."""

Entry = tuple[str, str, str, int]
"""A sign (a character, or HTML), its colour, what it means, and how many there are."""


def legend_html(
    by_severity: Mapping[str, int],
    by_label: Mapping[str, int],
    candles: bool = False,
    happened: Sequence[Entry] = (),
    chosen: tuple[Mapping[str, int], Mapping[str, int]] | None = None,
    has_vwap: bool = False,
    has_expected: bool = False,
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
    chosen
        By severity and by label, how many of them pass a filter; None without a filter.
    has_vwap
        The session's average price is drawn.
    has_expected
        What the detector expected is drawn.
    """
    passing_severity, passing_label = chosen or (None, None)
    severities = [
        entry("●", color, severity, by_severity[severity], passing_severity)
        for severity, color in reversed(SEVERITY_COLORS.items())
        if by_severity.get(severity)
    ]
    labels = [
        entry(SHAPE_SIGNS[shape], "inherit", label, by_label[label], passing_label)
        for label, shape in label_shapes(by_label).items()
    ]
    sides = [entry("■", SIDE_COLORS[side], name) for side, name in SIDE_NAMES.items()]
    price = [entry(LINE, PRICE_COLOR, "Last price and price range")]
    if candles:
        price = [entry("▮", color, f"Price went {way}") for way, color in CANDLE_COLORS.items()]
    if has_vwap:
        price.append(entry(LINE, VWAP_COLOR, "VWAP of the session"))
    if has_expected:
        price += [
            entry("▮", EXPECTED_COLOR, "Expected: prices that are not flagged"),
            entry(LINE, EXPECTED_COLOR, "Recent prices, usual size and pace"),
            entry(BROKEN_LINE, EXPECTED_COLOR, "Flagged beyond"),
        ]
    groups = "".join(
        f'<div style="{_ROW}">{"".join(group)}</div>'
        for group in (severities, labels, price + sides, [entry(*one) for one in happened])
        if group
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:0.15rem 2.4rem">{groups}</div>'


def entry(
    sign: str, color: str, name: str, count: int | None = None, passing: Mapping[str, int] | None = None
) -> str:
    """Return a sign, what it means, and how many there are, as HTML in which the name is only text.

    With a filter, `passing` says how many of each name pass it.
    """
    of = "" if passing is None else f"{passing.get(name, 0):,} of "
    number = "" if count is None else f' <span style="opacity:0.65">{of}{count:,}</span>'
    return (
        f'<span style="white-space:nowrap"><span style="color:{color}">{sign}</span> '
        f"{escape(name)}{number}</span>"
    )
