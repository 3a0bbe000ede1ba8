"""The live overview: prices and volumes of a symbol with the anomalies found, and the newest of these."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.pages.overview import state as overview_state
from dashboard.pages.overview.chart import SPAN
from dashboard.pages.overview.controls import (
    LISTED,
    MINUTE,
    ORDERS,
    choose_chart,
    choose_filters,
    choose_one,
    choose_period,
    choose_symbol,
    choose_time,
    controlled,
    show_watched,
)
from dashboard.pages.overview.feed_marks import BANDS, TICKS, feed_marks
from dashboard.pages.overview.freshness import Arrivals, describe
from dashboard.pages.overview.price_chart import PICKED, price_chart
from dashboard.pages.overview.queries import (
    MAX_ANOMALIES,
    URGENT,
    AnomalyList,
    AnomalySummary,
    Cancelled,
    TradeSummary,
    count_urgent,
    find_anomalies,
    find_cancelled,
    find_feed_events,
    list_anomalies,
    summarize_trades,
)
from dashboard.pages.overview.state import (
    ALL_SYMBOLS,
    CANDLES,
    HIGHEST_FIRST,
    NEWEST_FIRST,
)
from dashboard.pages.overview.volume_chart import volume_chart
from dashboard.server.elastic import together
from dashboard.server.indexed_data import IndexedData, find_indexed_data
from dashboard.server.sessions import find_sessions, summarize_period
from dashboard.settings import DashboardSettings
from dashboard.ui import url_state, watchlist
from dashboard.ui.anomaly_table import page_url, show_anomaly_table
from dashboard.ui.error_boundary import error_boundary
from dashboard.ui.legend import Entry, legend_html
from dashboard.ui.palette import CANCELLED_SIGN, CORRECTION_COLOR
from dashboard.ui.time_ranges import Period, TimeRange, periods, to_full_hours
from services.common.elastic.client import Elasticsearch
from services.contracts.trade import size_text
from services.review.corrections import VenueCorrection, corrections_of
from services.review.verdicts import Verdict, verdicts_of

_AWAITED = "overview-awaited"


@dataclass(frozen=True)
class Answers:
    """Elasticsearch's answers for a view."""

    trades: TradeSummary
    anomalies: AnomalySummary
    listed: AnomalyList
    urgent: dict[str, int]
    """Number of urgent anomalies by watched symbol, in the whole period."""
    indexed: IndexedData
    cancelled: Cancelled
    happened: pd.DataFrame
    """What happened to the feed, as `feed_marks` returns it."""


@st.cache_resource
def arrivals() -> Arrivals:
    """Return the record of arrivals, which all visitors share."""
    return Arrivals()


def show(client: Elasticsearch) -> None:
    """Show the page, and show it again every few seconds unless that is switched off."""
    if url_state.was_changed():
        overview_state.load()
    refresh_s = DashboardSettings().refresh_s
    is_live = overview_state.current().is_live
    st.fragment(_refresh, run_every=refresh_s if is_live else None)(client, refresh_s, is_live)


def _refresh(client: Elasticsearch, refresh_s: float, was_live: bool) -> None:
    if overview_state.current().is_live != was_live:
        # Only a run of the whole page can start or stop the refreshing; the view is not to be read again.
        url_state.note_control()
        st.rerun()
    with error_boundary():
        _show_overview(client, refresh_s)
    overview_state.save()
    watchlist.remember()


def _show_overview(client: Elasticsearch, refresh_s: float) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        freshness_place = st.container(width="stretch")
        is_live = overview_state.current().is_live
        controlled(st.toggle, f"Refresh every {refresh_s:g} s", "is_live", is_live, width="content")
    awaited = _await_table()
    sessions = find_sessions(client)
    if not sessions:
        st.info("There are no trades in Elasticsearch yet.", icon=":material/hourglass_empty:")
        st.text(
            "Start the pipeline with `make demo`, or run `tapewatch setup`, `produce`, `detect` and `index`."
        )
        return
    choices = periods(sessions)
    with st.container(horizontal=True, gap="medium"):
        symbol_place = st.container(width=170)
        period = choose_period(choices)
        summary = summarize_period(client, period.time_range)
        if summary is None:
            st.info("This session no longer has any trades. Choose another one.")
            return
        with symbol_place:
            symbol = choose_symbol(summary)
        time_range = choose_time(period, to_full_hours(summary.first_trade, summary.last_trade))
        choose_filters()
    _tell_what_was_not_found(choices, time_range)
    answers = _ask(client, symbol, period, time_range)
    awaited.empty()
    now = dt.datetime.now(dt.UTC)
    arrival = arrivals().note(answers.indexed.trades.count, now)
    freshness_place.caption(describe(answers.indexed, arrival, now))
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        show_watched(answers.urgent, symbol)
        choose_chart(len(answers.cancelled.prints))
    shown = {*answers.listed.rows["trade_id"], *answers.anomalies.rows["trade_id"]}
    verdicts, said = together(
        partial(verdicts_of, client, sorted(shown)), partial(corrections_of, client, sorted(shown))
    )
    corrections = answers.cancelled.corrections | said
    if answers.trades.trades:
        _show_counts(answers.trades, answers.anomalies)
    charts_place = st.container()
    _show_selected(answers, verdicts, corrections)
    # The table first: it is drawn while the charts are still being laid out.
    _show_list(answers, verdicts, corrections)
    with charts_place:
        if answers.trades.trades:
            _show_charts(answers, verdicts, corrections, time_range)
        elif symbol in summary.symbols:
            st.info("This symbol has no trades in this time range. Choose a longer one, or another session.")
        else:
            st.info("This symbol has no trades in this session. Choose another symbol, or another session.")


def _await_table() -> DeltaGenerator:
    """Have the browser get the table's code ready while Elasticsearch is asked, by an empty one, unseen.

    Returns
    -------
    DeltaGenerator
        Where it is: to be emptied.
    """
    place = st.empty()
    if _AWAITED not in st.session_state:
        st.session_state[_AWAITED] = True
        with place.container(key=_AWAITED):
            st.dataframe([])
    return place


def _ask(client: Elasticsearch, symbol: str, period: Period, time_range: TimeRange) -> Answers:
    view = overview_state.current()
    filters = (view.labels, view.severities)
    is_by_score = view.order == HIGHEST_FIRST
    of_whom = None if view.listed == ALL_SYMBOLS else symbol
    cancelled = find_cancelled(client, symbol, time_range)
    hidden = () if view.cancelled else tuple(cancelled.corrections)
    trades, anomalies, listed, urgent, indexed, events = together(
        partial(summarize_trades, client, symbol, time_range, candles=view.chart == CANDLES, hidden=hidden),
        partial(find_anomalies, client, symbol, time_range, *filters, hidden),
        partial(list_anomalies, client, of_whom, time_range, *filters, hidden, by_score=is_by_score),
        partial(count_urgent, client, watchlist.watched(), period.time_range),
        partial(find_indexed_data, client),
        partial(find_feed_events, client, symbol, time_range),
    )
    happened = feed_marks(events, trades.sources, time_range, dt.datetime.now(dt.UTC))
    return Answers(trades, anomalies, listed, urgent, indexed, cancelled, happened)


def _tell_what_was_not_found(choices: list[Period], shown: TimeRange) -> None:
    """Say which session or time of the address was not found."""
    view = overview_state.current()
    if view.period is not None and view.period not in [period.name for period in choices]:
        st.info("The session in the address has no trades. Showing the newest session instead.")
    asked = view.time_range
    if asked is not None and (asked.end <= shown.start or shown.end <= asked.start):
        st.info("The time in the address is outside this session. Showing the whole session instead.")


def _show_counts(trades: TradeSummary, anomalies: AnomalySummary) -> None:
    """Show the numbers for the chosen time range, regardless of the filter."""
    count = sum(anomalies.by_severity.values())
    urgent = sum(anomalies.by_severity.get(severity, 0) for severity in URGENT)
    with st.container(horizontal=True):
        for name, value in (
            ("Trades", f"{trades.trades:,}"),
            ("Shares traded", size_text(float(f"{trades.shares:.12g}"))),
            ("Anomalies", f"{count:,}"),
            ("Critical or high", f"{urgent:,}"),
            ("Anomalies per 1,000 trades", f"{1000 * count / trades.trades:.1f}"),
        ):
            st.metric(name, value, border=True)


def _show_charts(
    answers: Answers,
    verdicts: Mapping[str, Verdict],
    corrections: Mapping[str, VenueCorrection],
    time_range: TimeRange,
) -> None:
    view = overview_state.current()
    trades, anomalies = answers.trades, answers.anomalies
    crosses = answers.cancelled.prints if view.cancelled else answers.cancelled.prints.head(0)
    st.html(
        legend_html(
            anomalies.by_severity,
            anomalies.by_label,
            candles=view.chart == CANDLES,
            happened=_legend_of_feed(answers.happened, len(crosses)),
        )
    )
    if anomalies.chosen > len(anomalies.rows):
        st.caption(
            f"The charts show the {MAX_ANOMALIES:,} highest-scoring of {anomalies.chosen:,} anomalies."
        )
    shown = f"{view.chart}-{time_range.start.timestamp():.0f}-{time_range.end.timestamp():.0f}"
    charts = {
        "price": price_chart(
            trades,
            anomalies,
            time_range,
            verdicts,
            corrections,
            crosses,
            answers.happened,
            candles=view.chart == CANDLES,
            selected=view.selected,
        ),
        "volume": volume_chart(trades, time_range),
    }
    with st.container(gap=None):
        for name, chart in charts.items():
            # A chart of another time range is another chart, in which nothing has been dragged yet.
            key = f"overview-{name}-{shown}"
            st.vega_lite_chart(
                spec=chart.to_dict(), width="stretch", key=key, on_select=partial(_take_selection, key)
            )
    st.caption("Drag across a chart to zoom in; click a marker to select it.")


def _legend_of_feed(happened: pd.DataFrame, crosses: int) -> list[Entry]:
    """Return the legend's entries for what happened to the feed, as far as there is any."""
    counts = happened["kind"].value_counts()
    signs = [("▮", BANDS), ("▲", TICKS)]
    entries = [
        (sign, color, str(kind), int(counts[kind]))
        for sign, colors in signs
        for kind, color in colors.items()
        if kind in counts
    ]
    if crosses:
        entries.append((CANCELLED_SIGN, CORRECTION_COLOR, "Cancelled by the venue", crosses))
    return entries


def _take_selection(key: str) -> None:
    """Zoom to a time range dragged in a chart; select a clicked marker."""
    selection = st.session_state[key]["selection"]
    span = next(iter((selection.get(SPAN) or {}).values()), None)
    if span:
        start, end = (dt.datetime.fromtimestamp(ms / 1000, dt.UTC) for ms in sorted(span))
        start = start.replace(second=0, microsecond=0)
        end = end.replace(second=0, microsecond=0) + MINUTE
        overview_state.change(time_range=TimeRange(start, end))
    elif picked := selection.get(PICKED):
        overview_state.change(selected=picked[0]["trade_id"])


def _show_selected(
    answers: Answers, verdicts: Mapping[str, Verdict], corrections: Mapping[str, VenueCorrection]
) -> None:
    """Show the selected anomaly's whole message, and a link to its page."""
    selected = overview_state.current().selected
    if selected is None:
        return
    rows = pd.concat([answers.listed.rows, answers.anomalies.rows])
    found = rows[rows["trade_id"] == selected].head(1).to_dict("records")
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(width="stretch", gap=None):
            if found:
                (row,) = found
                judged = f" · {verdicts[selected].verdict}" if selected in verdicts else ""
                at = f"{row['time']:%Y-%m-%d %H:%M:%S} UTC"
                said = f" · {corrections[selected].sentence}" if selected in corrections else ""
                score = f"{row['severity']}, score {row['score']:.3f}"
                st.text(f"{row['symbol']} · {at} · {score}{judged}{said}")
                st.text(row["message"])
            else:
                st.text("The selected anomaly is not among those listed or marked here.")
        st.link_button("Open", page_url(selected), icon=":material/open_in_new:")
        st.button(
            "Close",
            icon=":material/close:",
            on_click=partial(overview_state.change, selected=None),
            key="overview-close",
        )


def _show_list(
    answers: Answers, verdicts: Mapping[str, Verdict], corrections: Mapping[str, VenueCorrection]
) -> None:
    """Show the table, and how many of all anomalies it holds."""
    view = overview_state.current()
    listed = answers.listed
    shown = len(listed.rows)
    order = "newest" if view.order == NEWEST_FIRST else "highest-scoring"
    text = f"The {shown:,} {order} of {listed.passing:,} anomalies. "
    if listed.passing == shown:
        text = f"{shown:,} anomalies. " if shown > 1 else "1 anomaly. "
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(text + "Double-click a cell to read its full text." if shown else " ", width="content")
        with st.container(horizontal=True, width="content"):
            choose_one("Listed", "listed", view.listed, LISTED)
            choose_one("Order", "order", view.order, ORDERS)
    if shown:
        show_anomaly_table(
            listed.rows,
            verdicts,
            corrections,
            "overview-table",
            view.selected,
            lambda chosen: overview_state.change(selected=chosen),
        )
    elif view.labels or view.severities:
        st.info("No anomaly in this time range has these labels and severities. Remove a filter to see more.")
    else:
        st.info("No anomalies in this time range.")
