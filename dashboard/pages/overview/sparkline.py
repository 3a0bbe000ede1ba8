"""A small chart of prices with anomalies on it, as a picture that stands in text; makes no queries."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from dashboard.pages.overview.watched import Mark, Watched
from dashboard.ui.palette import PRICE_COLOR
from dashboard.ui.time_ranges import TimeRange
from services.contracts.anomaly import SEVERITY_COLORS, Severity

WIDTH, HEIGHT = 320, 84
"""In units of the picture, which takes the width that there is."""

_MARGIN = 8
_BEYOND = 0.25
"""The axis reaches so far beyond nearly all prices, as a share of their range, not to any bad print."""

_RADIUS = {
    Severity.INFO: 2.5,
    Severity.LOW: 3.0,
    Severity.MEDIUM: 3.8,
    Severity.HIGH: 4.6,
    Severity.CRITICAL: 5.4,
}


def sparkline_html(watched: Watched, time_range: TimeRange, text: str) -> str:
    """Return an image whose text for screen readers is `text`.

    Parameters
    ----------
    watched
        With one price at least.
    time_range
        From the left edge to the right one.
    text
        What the picture shows.
    """
    picture = quote(sparkline_svg(watched, time_range))
    return f'<img class="tw-spark" alt="{escape(text)}" src="data:image/svg+xml,{picture}">'


def sparkline_svg(watched: Watched, time_range: TimeRange) -> str:
    """Return the picture: a line of prices, and a dot for each anomaly, the most severe on top."""
    low, high = price_limits([price for _, price in watched.prices])
    start_ms, end_ms = (time.timestamp() * 1000 for time in (time_range.start, time_range.end))

    def place(at_ms: float, price: float) -> tuple[float, float]:
        across = (at_ms - start_ms) / (end_ms - start_ms)
        up = (min(max(price, low), high) - low) / (high - low)
        return (
            round(_MARGIN + across * (WIDTH - 2 * _MARGIN), 1),
            round(HEIGHT - _MARGIN - up * (HEIGHT - 2 * _MARGIN), 1),
        )

    points = " ".join("{},{}".format(*place(*one)) for one in watched.prices)
    dots = "".join(_dot(mark, place(mark.at_ms, mark.price)) for mark in _by_severity(watched.marks))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<polyline points="{points}" fill="none" stroke="{PRICE_COLOR}" stroke-width="1.5" '
        f'stroke-linejoin="round" stroke-linecap="round"/>{dots}</svg>'
    )


def price_limits(prices: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and the highest price that the axis shows; what lies beyond is drawn at the edge.

    Parameters
    ----------
    prices
        One at least.
    """
    ordered = sorted(prices)
    spare = len(ordered) // 20
    usual = ordered[spare : len(ordered) - spare]
    if usual[0] == usual[-1]:
        beyond = abs(usual[0]) * 0.01 or 1.0
        return usual[0] - beyond, usual[0] + beyond
    beyond = (usual[-1] - usual[0]) * _BEYOND
    return max(ordered[0], usual[0] - beyond), min(ordered[-1], usual[-1] + beyond)


def _by_severity(marks: Sequence[Mark]) -> list[Mark]:
    ranks = list(Severity)
    return sorted(marks, key=lambda mark: ranks.index(Severity(mark.severity)))


def _dot(mark: Mark, place: tuple[float, float]) -> str:
    severity = Severity(mark.severity)
    x, y = place
    return f'<circle cx="{x}" cy="{y}" r="{_RADIUS[severity]}" fill="{SEVERITY_COLORS[severity]}"/>'
