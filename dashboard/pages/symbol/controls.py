"""The controls of the symbol page; each shows a part of the view and changes it."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from dashboard.pages.symbol import state as symbol_state
from dashboard.pages.symbol.state import (
    ALL_SYMBOLS,
    CANDLES,
    HIGHEST_FIRST,
    LINE,
    NEWEST_FIRST,
    ONE_SYMBOL,
    SEVERITIES,
)
from dashboard.server.sessions import PeriodSummary
from dashboard.ui import watchlist
from dashboard.ui.markdown import as_markdown
from dashboard.ui.time_ranges import Period, Rolling, TimeRange
from dashboard.ui.view_controls import ViewControls
from services.contracts.detectors import LABELS

_MOVES = "symbol-moves"
_CHARTS = (LINE, CANDLES)
ORDERS = (NEWEST_FIRST, HIGHEST_FIRST)
LISTED = (ONE_SYMBOL, ALL_SYMBOLS)


def _change(**parts: Any) -> None:
    if "period" in parts:
        st.session_state[_MOVES] = True  # another session may not have the symbol
    symbol_state.change(**parts)


_CONTROLS = ViewControls(symbol_state.PAGE, _change)
controlled = _CONTROLS.show


def choose_period(choices: Sequence[Period | Rolling]) -> Period | Rolling:
    """Let a session or several be chosen, or the last minutes; returns what is shown."""
    return _CONTROLS.choose_period(symbol_state.current().period, choices)


def choose_symbol(summary: PeriodSummary) -> str:
    """Let a symbol be chosen among those traded; returns what is shown."""
    symbol = symbol_state.current().symbol
    may_move = st.session_state.pop(_MOVES, False)
    if symbol is None or (may_move and symbol not in summary.symbols):
        symbol = summary.most_anomalous
        symbol_state.change(symbol=symbol)
    # A symbol without trades in this period stays chosen; the page says so.
    choices = summary.symbols if symbol in summary.symbols else [symbol, *summary.symbols]
    controlled(st.selectbox, "Symbol", "symbol", symbol, choices)
    return symbol


def choose_time(period: Period | Rolling, longest: TimeRange) -> TimeRange:
    """Let a part of a period be chosen; returns what is shown."""
    wanted = symbol_state.current().time_range
    return _CONTROLS.choose_time(wanted, longest, by_minute=period.sessions == 1)


def choose_filters() -> None:
    """Let the anomalies' labels and severities be chosen."""
    view = symbol_state.current()
    controlled(
        st.multiselect,
        "Labels",
        "labels",
        list(view.labels),
        LABELS,
        to_part=tuple,
        placeholder="All",
        width=300,
    )
    controlled(
        st.multiselect,
        "Severity",
        "severities",
        list(view.severities),
        SEVERITIES,
        to_part=tuple,
        placeholder="All",
        width=240,
    )


def show_watched(urgent: Mapping[str, int], symbol: str) -> None:
    """Show a button for each watched symbol, and let this one be watched."""
    is_watched = symbol in urgent
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="stretch"):
        st.button(
            "Watched" if is_watched else "Watch",
            icon=":material/bookmark_added:" if is_watched else ":material/bookmark_add:",
            help="Stop watching this symbol"
            if is_watched
            else "Add this symbol to the watchlist, which this browser remembers",
            on_click=watchlist.toggle,
            args=(symbol,),
            type="tertiary",
            key="symbol-watch",
        )
        if urgent:
            controlled(
                st.pills,
                "Watched symbols",
                "symbol",
                symbol if is_watched else None,
                list(urgent),
                key="symbol-watched",
                to_part=lambda chosen: chosen or symbol,
                format_func=lambda name: f"{as_markdown(name)} · {urgent[name]:,}",
                help="With the number of their critical and high anomalies in this session",
                label_visibility="collapsed",
            )
        watchlist.show_whose()


def choose_chart(cancelled: int) -> None:
    """Let the kind of chart be chosen, the zoom be reset, and cancelled prints be hidden, if there are any.

    Parameters
    ----------
    cancelled
        How many of the prints that could be shown were cancelled.
    """
    view = symbol_state.current()
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        if cancelled or not view.cancelled:
            controlled(
                st.toggle,
                "Cancelled prints",
                "cancelled",
                view.cancelled,
                width="content",
                help="Prints that the venue took back: shown with a cross, or left out of charts and tables",
            )
        controlled(
            st.toggle,
            "VWAP",
            "has_vwap",
            view.has_vwap,
            width="content",
            help="The volume-weighted average price from the beginning of the session to each time",
        )
        controlled(
            st.toggle,
            "Expected",
            "has_expected",
            view.has_expected,
            width="content",
            help="What the detector compared with: the prices that it does not flag, usual sizes, and how "
            "many trades are usual at the time of the day. The session's trades are read once for it",
        )
        if view.time_range is not None:
            st.button(
                "Reset zoom",
                icon=":material/zoom_out_map:",
                on_click=partial(symbol_state.change, time_range=None),
                key="symbol-all-time",
            )
        choose_one("Chart", "chart", view.chart, _CHARTS)


def choose_one(label: str, part: str, value: str, choices: tuple[str, ...]) -> None:
    """Let a part of the view be one of a few choices."""
    controlled(
        st.segmented_control,
        label,
        part,
        value,
        choices,
        required=True,
        label_visibility="collapsed",
        width="content",
    )
