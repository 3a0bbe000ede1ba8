"""The view that a person has of all symbols, and its form in the address."""

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from dashboard.ui import opened_session, url_state
from dashboard.ui.address_times import address_of_period, read_period, to_text, to_time
from dashboard.ui.time_ranges import TimeRange
from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS

PAGE = "overview"
_KEY = f"{PAGE}-view"

MAX_FIND = 50
"""Longest text to find symbols by, in characters."""

SEVERITIES = tuple(str(severity) for severity in reversed(Severity))
"""The most urgent first."""

UNLESS_CHOSEN = tuple(severity for severity in SEVERITIES if severity != Severity.INFO)
"""What is shown if no severity is chosen: natural events, such as auctions, would hide all others."""


@dataclass(frozen=True)
class View:
    """A view of all symbols; each part can be sent in the address."""

    period: str | None = None
    """The name of a `Period` or of a `Rolling`; None for the newest session when the view was opened."""
    time_range: TimeRange | None = None
    """Time range; None for all of the period."""
    labels: tuple[str, ...] = ()
    """Anomalies with any of the labels are shown; empty for all."""
    severities: tuple[str, ...] = ()
    """As they are chosen; see `shown`."""
    find: str = ""
    """A part of a symbol's name: symbols without it are left out of the ranking."""
    is_live: bool = True

    @property
    def shown(self) -> tuple[str, ...]:
        """The severities that are shown."""
        return self.severities or UNLESS_CHOSEN


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
    opened_session.open_again(PAGE)
    start = url_state.read("from", to_time, None)
    end = url_state.read("to", to_time, None)
    st.session_state[_KEY] = View(
        period=read_period(),
        time_range=TimeRange(start, end) if start and end and start < end else None,
        labels=tuple(url_state.read_choices("label", LABELS)),
        severities=tuple(url_state.read_choices("severity", SEVERITIES)),
        find=url_state.read("find", str, "").strip()[:MAX_FIND],
        is_live=url_state.read("live", {"off": False}.__getitem__, True),
    )


def save() -> None:
    """Write the view into the address, without what equals the default."""
    view = current()
    url_state.write(**address_of(view), find=view.find, live=None if view.is_live else "off")


def address_of(view: View) -> dict[str, object]:
    """Return those parts of the address that the page of one symbol has, too."""
    span = view.time_range
    return {
        **address_of_period(view.period),
        "from": span and to_text(span.start),
        "to": span and to_text(span.end),
        "label": view.labels,
        "severity": view.severities,
    }
