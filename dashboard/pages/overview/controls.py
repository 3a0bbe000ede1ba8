"""The controls of the overview; each shows a part of the view and changes it."""

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from dashboard.pages.overview import state as overview_state
from dashboard.pages.overview.state import (
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
from dashboard.ui.exchange import exchange
from dashboard.ui.markdown import as_markdown
from dashboard.ui.time_ranges import Period, TimeRange, at_exchange
from services.contracts.detectors import LABELS

_MOVES = "overview-moves"
MINUTE = dt.timedelta(minutes=1)
_CHARTS = (LINE, CANDLES)
ORDERS = (NEWEST_FIRST, HIGHEST_FIRST)
LISTED = (ONE_SYMBOL, ALL_SYMBOLS)


def controlled(
    widget: Callable[..., object],
    label: str,
    part: str,
    value: object,
    *arguments: object,
    key: str = "",
    to_part: Callable[[Any], object] | None = None,
    **options: object,
) -> None:
    """Show a widget that holds a part of the view, and changes the view when a person changes it."""
    key = key or f"overview-{part}"

    def take() -> None:
        taken = st.session_state[key]
        overview_state.change(**{part: taken if to_part is None else to_part(taken)})

    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
    widget(label, *arguments, key=key, on_change=take, **options)


def choose_period(choices: list[Period]) -> Period:
    """Let a session or several be chosen; returns what is shown."""
    by_name = {period.name: period for period in choices}
    newest = choices[0]
    wanted = overview_state.current().period

    def take(name: str) -> str:
        # Another session may not have the symbol, and has other times.
        st.session_state[_MOVES] = True
        overview_state.change(time_range=None)
        return name

    period = by_name.get(wanted or newest.name, newest)
    controlled(
        st.selectbox,
        "Session",
        "period",
        period.name,
        list(by_name),
        to_part=take,
        format_func=lambda name: by_name[name].title,
        width=200,
    )
    return period


def choose_symbol(summary: PeriodSummary) -> str:
    """Let a symbol be chosen among those traded; returns what is shown."""
    symbol = overview_state.current().symbol
    may_move = st.session_state.pop(_MOVES, False)
    if symbol is None or (may_move and symbol not in summary.symbols):
        symbol = summary.most_anomalous
        overview_state.change(symbol=symbol)
    # A symbol without trades in this period stays chosen; the page says so.
    choices = summary.symbols if symbol in summary.symbols else [symbol, *summary.symbols]
    controlled(st.selectbox, "Symbol", "symbol", symbol, choices)
    return symbol


def choose_time(period: Period, longest: TimeRange) -> TimeRange:
    """Let a part of a period be chosen, by the minute within one session, by the hour beyond."""
    chosen = overview_state.current().time_range
    if chosen is not None:
        chosen = TimeRange(max(chosen.start, longest.start), min(chosen.end, longest.end))
    if chosen is None or chosen.start >= chosen.end:
        chosen = longest
    is_one = period.sessions == 1

    def take(ends: tuple[dt.datetime, dt.datetime]) -> TimeRange | None:
        start, end = (time.replace(tzinfo=dt.UTC) for time in ends)
        taken = TimeRange(start, max(end, start + MINUTE))
        return None if taken == longest else taken

    with st.container(width="stretch"):
        controlled(
            st.slider,
            "Time (UTC)",
            "time_range",
            (chosen.start.replace(tzinfo=None), chosen.end.replace(tzinfo=None)),
            longest.start.replace(tzinfo=None),
            longest.end.replace(tzinfo=None),
            # A slider of other ends is another slider.
            key=f"overview-time-{longest.start:%Y%m%d%H}-{longest.end:%Y%m%d%H}",
            to_part=take,
            step=dt.timedelta(minutes=1 if is_one else 60),
            format="HH:mm" if is_one else "D MMM HH:mm",
        )
        if not exchange().is_utc:
            st.caption(at_exchange(chosen))
    return chosen


def choose_filters() -> None:
    """Let the anomalies' labels and severities be chosen."""
    view = overview_state.current()
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
            key="overview-watch",
        )
        if urgent:
            controlled(
                st.pills,
                "Watched symbols",
                "symbol",
                symbol if is_watched else None,
                list(urgent),
                key="overview-watched",
                to_part=lambda chosen: chosen or symbol,
                format_func=lambda name: f"{as_markdown(name)} · {urgent[name]:,}",
                help="With the number of their critical and high anomalies in this session",
                label_visibility="collapsed",
            )


def choose_chart(cancelled: int) -> None:
    """Let the kind of chart be chosen, the zoom be reset, and cancelled prints be hidden, if there are any.

    Parameters
    ----------
    cancelled
        How many of the prints that could be shown were cancelled.
    """
    view = overview_state.current()
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
        if view.time_range is not None:
            st.button(
                "Reset zoom",
                icon=":material/zoom_out_map:",
                on_click=partial(overview_state.change, time_range=None),
                key="overview-all-time",
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
