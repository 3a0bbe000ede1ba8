"""The page of all symbols: where the anomalies are, which are the worst and the newest, what is watched."""

from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.pages.overview import state as overview_state
from dashboard.pages.overview.controls import (
    choose_filters,
    choose_period,
    choose_time,
    controlled,
    show_reset,
)
from dashboard.pages.overview.links import linked
from dashboard.pages.overview.queries import find_prices, find_sightings, rank, summarize_anomalies
from dashboard.pages.overview.sections import (
    MAX_ALERTS,
    Answers,
    show_counts,
    show_heat_map,
    show_incidents,
    show_lists,
    show_ranking,
    show_watched,
    take_address,
)
from dashboard.pages.overview.style import STYLE
from dashboard.pages.overview.watched import find_watched
from dashboard.server.alerts import Filters, find_alerts
from dashboard.server.answers import Noted
from dashboard.server.elastic import together
from dashboard.server.offered import find_offered
from dashboard.server.sessions import summarize_period
from dashboard.settings import DashboardSettings
from dashboard.ui import url_state, watchlist
from dashboard.ui.error_boundary import error_boundary
from dashboard.ui.folded import folded
from dashboard.ui.no_trades import tell_no_trades, tell_no_trades_in
from dashboard.ui.not_found import tell_not_found
from dashboard.ui.set_aside import tell_set_aside
from dashboard.ui.time_ranges import TimeRange, whole_of
from services.common.elastic.client import Elasticsearch
from services.review.corrections import corrections_of

_SHOWN = "overview-shown"


def show(client: Elasticsearch) -> None:
    """Show the page, and show it again every few seconds unless that is switched off."""
    if url_state.was_changed():
        overview_state.load()
    st.html(STYLE)
    refresh_s = DashboardSettings().refresh_s
    is_live = overview_state.current().is_live
    st.fragment(_refresh, run_every=refresh_s if is_live else None)(client, refresh_s, is_live)


def _refresh(client: Elasticsearch, refresh_s: float, was_live: bool) -> None:
    if address := take_address():
        # Only a run of the whole page can show another one; that one reads the address.
        st.query_params.from_dict(address)
        st.rerun()
    if overview_state.current().is_live != was_live:
        url_state.note_control()
        st.rerun()
    loading = st.empty()
    if _SHOWN not in st.session_state:
        loading.text("The anomalies of this session are being read.")
    with error_boundary() as noted:
        try:
            _show_overview(client, refresh_s, noted, loading)
        finally:
            loading.empty()
    overview_state.save()
    watchlist.remember()


def _show_overview(client: Elasticsearch, refresh_s: float, noted: Noted, loading: DeltaGenerator) -> None:
    offered = find_offered(client, noted)
    if offered is None:
        tell_no_trades()
        return
    with folded("overview") as fold, st.container(horizontal=True, gap="medium"):
        period = choose_period(offered.choices)
        summary = summarize_period(client, period.time_range)
        if summary is None:
            tell_no_trades_in(period)
            return
        time_range = choose_time(period, whole_of(period, summary.first_trade, summary.last_trade))
        choose_filters()
        view = overview_state.current()
        fold.say([period.title, *view.labels, *view.severities, *([view.find] if view.find else [])])
    tell_set_aside(offered.aside)
    tell_not_found(view.period, view.time_range, offered.choices, time_range)
    answers = _ask(client, time_range)
    loading.empty()
    st.session_state[_SHOWN] = True
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        show_counts(answers.anomalies)
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            show_reset()
            is_live = overview_state.current().is_live
            controlled(st.toggle, f"Refresh every {refresh_s:g} s", "is_live", is_live, width="content")
    with_day = period.sessions > 1
    view = linked(overview_state.current(), period, offered.newest)
    by_time, beside = st.columns([2, 1], gap="large")
    with by_time:
        show_heat_map(answers, summary.symbols, time_range, view)
        show_incidents(answers.sightings, view, with_day)
        show_watched(answers.watched, time_range, view, with_day)
        show_ranking(answers, view, with_day)
    with beside:
        show_lists(answers, with_day)


def _ask(client: Elasticsearch, time_range: TimeRange) -> Answers:
    """Ask for everything, whatever the number of symbols: the same number of requests, bounded answers."""
    view = overview_state.current()
    anomalies, sightings, watched, alerts = together(
        partial(summarize_anomalies, client, view, time_range),
        partial(find_sightings, client, view, time_range),
        partial(find_watched, client, view, watchlist.watched(), time_range),
        partial(find_alerts, client, Filters(), most=MAX_ALERTS),
    )
    listed = sorted({*anomalies.newest["trade_id"], *anomalies.worst["trade_id"]})
    ranking, prices, corrections = together(
        partial(rank, client, view, anomalies.ranked, time_range),
        partial(find_prices, client, anomalies.ranked, time_range),
        partial(corrections_of, client, listed),
    )
    return Answers(anomalies, sightings, watched, alerts, ranking, prices, corrections)
