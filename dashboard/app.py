"""The page: prices and volumes of a symbol with the anomalies found, from Elasticsearch."""

import datetime as dt

import streamlit as st
from elasticsearch import Elasticsearch

from dashboard.anomaly_table import show_anomaly_table
from dashboard.charts import price_chart, volume_chart
from dashboard.legend import legend_html
from dashboard.queries import (
    MAX_ANOMALIES,
    AnomalySummary,
    TradeSummary,
    find_anomalies,
    find_sessions,
    open_client,
    summarize_period,
    summarize_trades,
)
from dashboard.time_ranges import Period, TimeRange, at_exchange, periods, to_full_hours
from services.common.contracts import Label, Severity
from services.common.errors import TapewatchError
from services.common.settings import Settings

REFRESH_S = 5.0
HIGHEST_FIRST = "Highest score first"
NEWEST_FIRST = "Newest first"
URGENT = (Severity.CRITICAL, Severity.HIGH)


@st.cache_resource
def connect(url: str) -> Elasticsearch:
    """Return the client that all visitors share."""
    return open_client(url)


def main() -> None:
    """Show the page, and show it again every few seconds if that is switched on."""
    st.set_page_config(page_title="Tapewatch", page_icon="📈", layout="wide")
    # The space on top is for a bar that is switched off.
    st.html("<style>.stMainBlockContainer { padding-top: 1.5rem }</style>")
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.header("Tapewatch", anchor=False, width="content")
        is_live = st.toggle(f"Refresh every {REFRESH_S:.0f} s", value=True, key="live", width="content")
    st.fragment(show_page, run_every=REFRESH_S if is_live else None)()


def show_page() -> None:
    """Show what Elasticsearch has, or why it cannot be shown; never a traceback."""
    try:
        client = connect(Settings().elasticsearch)
        show_overview(client)
    except TapewatchError as error:
        st.error("The data cannot be shown.", icon=":material/cloud_off:")
        # st.text takes nothing as markup: a cause may quote whatever answered.
        st.text(error.cause)
        st.text(error.mend)


def show_overview(client: Elasticsearch) -> None:
    """Show the controls and what they choose."""
    sessions = find_sessions(client)
    if not sessions:
        st.info("There are no trades in Elasticsearch yet.", icon=":material/hourglass_empty:")
        st.text(
            "Start the pipeline with `make demo`, or run `tapewatch setup`, `produce`, `detect` and `index`."
        )
        return
    with st.container(horizontal=True, gap="medium"):
        symbol_place = st.container(width=160)
        period = st.selectbox("Session", periods(sessions), format_func=_title, key="period", width=200)
        summary = summarize_period(client, period.time_range)
        if summary is None:
            st.info("There are no trades in this session any more. Choose another one.")
            return
        default = summary.symbols.index(summary.most_anomalous)
        symbol = symbol_place.selectbox("Symbol", summary.symbols, index=default, key="symbol")
        with st.container(width="stretch"):
            time_range = choose_time(period, to_full_hours(summary.first_trade, summary.last_trade))
        labels = st.multiselect("Labels", list(Label), placeholder="All", key="labels", width=300)
        severities = st.multiselect(
            "Severity", list(reversed(Severity)), placeholder="All", key="severities", width=240
        )
    trades = summarize_trades(client, symbol, time_range)
    anomalies = find_anomalies(client, symbol, time_range, labels, severities)
    if not trades.trades:
        st.info("This symbol has no trades in this time. Choose a longer time, or another session.")
        return
    show_counts(trades, anomalies)
    st.html(legend_html(anomalies.by_severity, anomalies.by_label))
    with st.container(gap=None):
        st.altair_chart(price_chart(trades, anomalies, time_range), width="stretch")
        st.altair_chart(volume_chart(trades, time_range), width="stretch")
    show_anomalies(anomalies)


def choose_time(period: Period, longest: TimeRange) -> TimeRange:
    """Let a part of a period be chosen, by the minute within one session, by the hour beyond."""
    is_one = period.sessions == 1
    start, end = st.slider(
        "Time (UTC)",
        min_value=longest.start.replace(tzinfo=None),
        max_value=longest.end.replace(tzinfo=None),
        value=(longest.start.replace(tzinfo=None), longest.end.replace(tzinfo=None)),
        step=dt.timedelta(minutes=1 if is_one else 60),
        format="HH:mm" if is_one else "D MMM HH:mm",
        key=f"time-{period.first}-{period.last}",
    )
    if start == end:
        end += dt.timedelta(minutes=1)
    chosen = TimeRange(start.replace(tzinfo=dt.UTC), end.replace(tzinfo=dt.UTC))
    st.caption(at_exchange(chosen))
    return chosen


def show_counts(trades: TradeSummary, anomalies: AnomalySummary) -> None:
    """Show how much there is in the time chosen, whatever the filter."""
    count = sum(anomalies.by_severity.values())
    urgent = sum(anomalies.by_severity.get(severity, 0) for severity in URGENT)
    with st.container(horizontal=True):
        for name, value in (
            ("Trades", f"{trades.trades:,}"),
            ("Shares traded", f"{trades.shares:,}"),
            ("Anomalies", f"{count:,}"),
            ("Critical or high", f"{urgent:,}"),
            ("Anomalies in 1,000 trades", f"{1000 * count / trades.trades:.1f}"),
        ):
            st.metric(name, value, border=True)


def show_anomalies(anomalies: AnomalySummary) -> None:
    """Show the table, and say how much of all it is."""
    if not anomalies.by_severity:
        st.info("No anomalies in this time.")
        return
    if not anomalies.chosen:
        st.info("No anomaly in this time has these labels and severities. Remove a filter to see more.")
        return
    shown = len(anomalies.rows)
    if anomalies.chosen > shown:
        text = f"The {MAX_ANOMALIES:,} with the highest scores of {anomalies.chosen:,} anomalies, "
    else:
        text = f"{shown:,} anomalies, " if shown > 1 else "1 anomaly, "
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        text += "marked in the chart and listed here. Double-click a cell to read all of it."
        st.caption(text, width="content")
        order = st.segmented_control(
            "Order",
            [HIGHEST_FIRST, NEWEST_FIRST],
            default=HIGHEST_FIRST,
            required=True,
            key="order",
            label_visibility="collapsed",
            width="content",
        )
    show_anomaly_table(anomalies.rows, newest_first=order == NEWEST_FIRST)


def _title(period: Period) -> str:
    return period.title


main()
