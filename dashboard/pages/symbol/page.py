"""The live page of one symbol: its prices and volumes, the anomalies found, and the newest of these."""

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from dashboard.pages.symbol import state as symbol_state
from dashboard.pages.symbol.ahead import asked_ahead, note_shown, was_shown
from dashboard.pages.symbol.anomaly_list import search_of, show_list
from dashboard.pages.symbol.answers import Answers, Question
from dashboard.pages.symbol.charts_section import show_charts
from dashboard.pages.symbol.controls import (
    choose_chart,
    choose_filters,
    choose_period,
    choose_symbol,
    choose_time,
    controlled,
    show_watched,
)
from dashboard.pages.symbol.expected import Expected
from dashboard.pages.symbol.queries import URGENT, AnomalySummary, TradeSummary
from dashboard.server.answers import Noted
from dashboard.server.offered import find_offered
from dashboard.server.sessions import summarize_period
from dashboard.settings import DashboardSettings
from dashboard.ui import url_state, watchlist
from dashboard.ui.error_boundary import error_boundary
from dashboard.ui.folded import folded
from dashboard.ui.no_trades import tell_no_trades, tell_no_trades_in
from dashboard.ui.not_found import tell_not_found
from dashboard.ui.page_title import set_title
from dashboard.ui.search_address import to_reference
from dashboard.ui.set_aside import tell_set_aside
from dashboard.ui.time_ranges import TimeRange, whole_of
from dashboard.ui.times import format_span
from services.common.elastic.client import Elasticsearch
from services.contracts.trade import size_text

FINE_VOLUME = 100.0
"""A volume below this has all its decimals; of a larger one two are enough."""


def show(client: Elasticsearch) -> None:
    """Show the page, and show it again every few seconds unless that is switched off."""
    if url_state.was_changed():
        symbol_state.load()
    refresh_s = DashboardSettings().refresh_s
    is_live = symbol_state.current().is_live
    st.fragment(_refresh, run_every=refresh_s if is_live else None)(client, refresh_s, is_live)


def _refresh(client: Elasticsearch, refresh_s: float, was_live: bool) -> None:
    if symbol_state.current().is_live != was_live:
        # Only a run of the whole page can start or stop the refreshing; the view is not to be read again.
        url_state.note_control()
        st.rerun()
    with error_boundary() as noted, asked_ahead(client) as ask:
        _show_symbol(client, refresh_s, noted, ask)
    symbol_state.save()
    watchlist.remember()


def _show_symbol(
    client: Elasticsearch, refresh_s: float, noted: Noted, ask: Callable[[Question], Answers]
) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        is_live = symbol_state.current().is_live
        controlled(st.toggle, f"Refresh every {refresh_s:g} s", "is_live", is_live, width="content")
    offered = find_offered(client, noted)
    if offered is None:
        tell_no_trades()
        return
    with folded("symbol") as fold, st.container(horizontal=True, gap="medium"):
        symbol_place = st.container(width=170)
        period = choose_period(offered.choices)
        summary = summarize_period(client, period.time_range)
        if summary is None:
            tell_no_trades_in(period)
            return
        with symbol_place:
            symbol = choose_symbol(summary)
        set_title(symbol)
        longest = whole_of(period, summary.first_trade, summary.last_trade)
        time_range = choose_time(period, longest)
        choose_filters()
        view = symbol_state.current()
        zoom = [] if view.time_range is None else [format_span(time_range.start, time_range.end)]
        fold.say([symbol, period.title, *zoom, *view.labels, *view.severities])
    tell_set_aside(offered.aside)
    tell_not_found(view.period, view.time_range, offered.choices, time_range)
    if view.is_inverted:
        st.info("The time in the address ends before it begins. Showing the whole session instead.")
    question = Question(view, tuple(watchlist.watched()), symbol, period, time_range)
    answers = ask(question)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        show_watched(answers.urgent, symbol)
        choose_chart(len(answers.cancelled.prints))
    if answers.trades.trades:
        _show_counts(answers.trades, answers.anomalies)
    charts_place, list_place = st.columns([3, 2], gap="small")

    def draw_charts() -> None:
        with charts_place:
            if answers.trades.trades:
                expected = _expected(client, answers.trades, symbol, time_range)
                show_charts(answers, symbol, time_range, expected)
            elif symbol in summary.symbols:
                st.info(
                    "This symbol has no trades in this time range. Choose a longer one, or another session."
                )
            else:
                st.info(
                    "This symbol has no trades in this session. Choose another symbol, or another session."
                )

    def draw_list() -> None:
        with list_place:
            reference = to_reference(*search_of(symbol, time_range))
            show_list(client, answers.listed, answers.said, reference)

    # A page that opens is complete sooner if its list comes first: the browser builds it while the charts are
    # made here. In one that is there, the marks come sooner if they need not wait for the list.
    if was_shown():
        draw_charts()
        draw_list()
    else:
        draw_list()
        draw_charts()
    note_shown(question, longest)


def _expected(
    client: Elasticsearch, trades: TradeSummary, symbol: str, time_range: TimeRange
) -> Expected | None:
    """Return what the detector expected, if that is asked for; the first time in a session takes seconds."""
    if not symbol_state.current().has_expected:
        return None
    # Not before it is needed: the detectors take seconds to load, once for a server.
    with st.spinner("Loading the detectors …"):
        judged = import_module("dashboard.pages.symbol.judged")
    found: Expected = judged.find_expected(client, symbol, time_range, trades)
    return found


def _show_counts(trades: TradeSummary, anomalies: AnomalySummary) -> None:
    """Show the numbers for the chosen time range; with a filter also how many anomalies pass it."""
    view = symbol_state.current()
    count = sum(anomalies.by_severity.values())
    urgent, chosen_urgent = (
        sum(counts.get(severity, 0) for severity in URGENT)
        for counts in (anomalies.by_severity, anomalies.chosen_by_severity)
    )
    found, serious = f"{count:,}", f"{urgent:,}"
    if view.labels or view.severities:
        found, serious = f"{anomalies.chosen:,} of {found}", f"{chosen_urgent:,} of {serious}"
    with st.container(horizontal=True):
        for name, value in (
            ("Trades", f"{trades.trades:,}"),
            ("Volume", size_text(round(trades.shares, 2 if trades.shares >= FINE_VOLUME else 8))),
            ("Anomalies", found),
            ("Critical or high", serious),
            ("Anomalies per 1,000 trades", f"{1000 * count / trades.trades:.1f}"),
        ):
            st.metric(name, value, border=True)
