"""The view that a person has of the symbol page, and its form in the address."""

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from dashboard.ui import opened_session, url_state
from dashboard.ui.address_times import address_of_period, read_period, to_text, to_time
from dashboard.ui.time_ranges import TimeRange
from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS

PAGE = "symbol"
_KEY = f"{PAGE}-view"

LINE = "Line"
CANDLES = "Candles"
NEWEST_FIRST = "Newest first"
HIGHEST_FIRST = "Highest score first"
ONE_SYMBOL = "This symbol"
ALL_SYMBOLS = "All symbols"

SEVERITIES = [str(severity) for severity in reversed(Severity)]
"""The most urgent first."""


@dataclass(frozen=True)
class View:
    """A view of the symbol page; each part can be sent in the address."""

    symbol: str | None = None
    """Symbol; None for the one with the most anomalies."""
    period: str | None = None
    """The name of a `Period` or of a `Rolling`; None for the newest session when the view was opened."""
    time_range: TimeRange | None = None
    """Time range; None for all of the period."""
    is_inverted: bool = False
    """Whether the address asks for a time range that ends before it begins."""
    labels: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    """Anomalies with any of the labels and any of the severities are shown; empty for all."""
    chart: str = LINE
    order: str = NEWEST_FIRST
    listed: str = ONE_SYMBOL
    has_all_prices: bool = False
    """Whether the price axis shows every price, also those far off the market."""
    has_vwap: bool = False
    """Whether the session's volume-weighted average price is drawn."""
    has_expected: bool = False
    """Whether what the detector expected is drawn."""
    cancelled: bool = True
    """Whether trades that the venue took back are shown."""
    selected: str | None = None
    """The `trade_id` of the anomaly that is chosen in the table or in the chart."""
    is_live: bool = True


def current() -> View:
    """Return the view of this visitor."""
    return st.session_state.get(_KEY) or View()


def change(**parts: Any) -> None:
    """Set parts of the view."""
    if "time_range" in parts:
        parts["is_inverted"] = False
    st.session_state[_KEY] = replace(current(), **parts)


def load() -> None:
    """Take the view from the address, unless that is empty and an earlier view exists."""
    if not st.query_params and _KEY in st.session_state:
        return
    opened_session.open_again(PAGE)
    start = url_state.read("from", to_time, None)
    end = url_state.read("to", to_time, None)
    st.session_state[_KEY] = View(
        symbol=url_state.read("symbol", str, None) or None,
        period=read_period(),
        time_range=TimeRange(start, end) if start and end and start < end else None,
        is_inverted=bool(start and end and start >= end),
        labels=tuple(url_state.read_choices("label", LABELS)),
        severities=tuple(url_state.read_choices("severity", SEVERITIES)),
        chart=url_state.read("chart", {"candles": CANDLES}.__getitem__, LINE),
        order=url_state.read("order", {"score": HIGHEST_FIRST}.__getitem__, NEWEST_FIRST),
        listed=url_state.read("listed", {"all": ALL_SYMBOLS}.__getitem__, ONE_SYMBOL),
        has_all_prices=url_state.read("axis", {"all": True}.__getitem__, False),
        has_vwap=url_state.read("vwap", {"on": True}.__getitem__, False),
        has_expected=url_state.read("expected", {"on": True}.__getitem__, False),
        cancelled=url_state.read("cancelled", {"hidden": False}.__getitem__, True),
        selected=url_state.read("selected", str, None),
        is_live=url_state.read("live", {"off": False}.__getitem__, True),
    )


def save() -> None:
    """Write the view into the address, without what equals the default."""
    view = current()
    span = view.time_range
    url_state.write(
        **{
            "symbol": view.symbol,
            **address_of_period(view.period),
            "from": span and to_text(span.start),
            "to": span and to_text(span.end),
            "label": view.labels,
            "severity": view.severities,
            "chart": "candles" if view.chart == CANDLES else None,
            "order": "score" if view.order == HIGHEST_FIRST else None,
            "listed": "all" if view.listed == ALL_SYMBOLS else None,
            "axis": "all" if view.has_all_prices else None,
            "vwap": "on" if view.has_vwap else None,
            "expected": "on" if view.has_expected else None,
            "cancelled": None if view.cancelled else "hidden",
            "selected": view.selected,
            "live": None if view.is_live else "off",
        }
    )
