"""The controls of the overview; each shows a part of the view and changes it."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from dashboard.pages.overview import state as overview_state
from dashboard.pages.overview.state import MAX_FIND, SEVERITIES
from dashboard.ui.time_ranges import Period, Rolling, TimeRange
from dashboard.ui.view_controls import ViewControls
from services.contracts.detectors import LABELS

_CONTROLS = ViewControls(overview_state.PAGE, overview_state.change)
controlled = _CONTROLS.show


def choose_period(choices: Sequence[Period | Rolling]) -> Period | Rolling:
    """Let a session or several be chosen, or the last minutes; returns what is shown."""
    return _CONTROLS.choose_period(overview_state.current().period, choices)


def choose_time(period: Period | Rolling, longest: TimeRange) -> TimeRange:
    """Let a part of a period be chosen; returns what is shown."""
    wanted = overview_state.current().time_range
    return _CONTROLS.choose_time(wanted, longest, by_minute=period.sessions == 1)


def choose_filters() -> None:
    """Let the anomalies' labels and severities be chosen, and symbols be found."""
    view = overview_state.current()
    controlled(
        st.multiselect,
        "Labels",
        "labels",
        list(view.labels),
        LABELS,
        to_part=tuple,
        placeholder="All",
        width=220,
    )
    controlled(
        st.multiselect,
        "Severity",
        "severities",
        list(view.severities),
        SEVERITIES,
        to_part=tuple,
        placeholder="From low on",
        width=200,
    )
    controlled(
        st.text_input,
        "Find a symbol",
        "find",
        view.find,
        to_part=str.strip,
        max_chars=MAX_FIND,
        placeholder="A part of its name",
        icon=":material/search:",
        width=190,
    )


def show_reset() -> None:
    """Let the zoom be reset."""
    if overview_state.current().time_range is not None:
        st.button(
            "Reset zoom",
            icon=":material/zoom_out_map:",
            on_click=partial(overview_state.change, time_range=None),
            key="overview-all-time",
        )
