"""The view that a person has of the overview, and its form in the address."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from dashboard.ui import url_state
from dashboard.ui.time_ranges import TimeRange
from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS

_KEY = "overview"

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
    """A view of the overview; each part can be sent in the address."""

    symbol: str | None = None
    """Symbol; None for the one with the most anomalies."""
    period: str | None = None
    """The `Period.name`; None for the session that is the newest at the time."""
    time_range: TimeRange | None = None
    """Time range; None for all of the period."""
    labels: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    """Anomalies with any of the labels and any of the severities are shown; empty for all."""
    chart: str = LINE
    order: str = NEWEST_FIRST
    listed: str = ONE_SYMBOL
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
    st.session_state[_KEY] = replace(current(), **parts)


def load() -> None:
    """Take the view from the address, unless that is empty and an earlier view exists."""
    if not st.query_params and _KEY in st.session_state:
        return
    start = url_state.read("from", _to_time, None)
    end = url_state.read("to", _to_time, None)
    st.session_state[_KEY] = View(
        symbol=url_state.read("symbol", str, None) or None,
        period=url_state.read("session", str, None),
        time_range=TimeRange(start, end) if start and end and start < end else None,
        labels=tuple(url_state.read_choices("label", LABELS)),
        severities=tuple(url_state.read_choices("severity", SEVERITIES)),
        chart=url_state.read("chart", {"candles": CANDLES}.__getitem__, LINE),
        order=url_state.read("order", {"score": HIGHEST_FIRST}.__getitem__, NEWEST_FIRST),
        listed=url_state.read("listed", {"all": ALL_SYMBOLS}.__getitem__, ONE_SYMBOL),
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
            "session": view.period,
            "from": span and _to_text(span.start),
            "to": span and _to_text(span.end),
            "label": view.labels,
            "severity": view.severities,
            "chart": "candles" if view.chart == CANDLES else None,
            "order": "score" if view.order == HIGHEST_FIRST else None,
            "listed": "all" if view.listed == ALL_SYMBOLS else None,
            "cancelled": None if view.cancelled else "hidden",
            "selected": view.selected,
            "live": None if view.is_live else "off",
        }
    )


def _to_time(text: str) -> dt.datetime:
    """Read `2026-03-02T14:30Z`; without a zone it is UTC, too."""
    time = dt.datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


def _to_text(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M}Z"
