import datetime as dt

import pandas as pd
import pytest
import streamlit as st

from dashboard.pages.alerts.silence_words import minute
from dashboard.pages.symbol.volume_chart import volume_chart
from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.ui import zone
from dashboard.ui.anomaly_table import TIME, columns_of, rows_of
from dashboard.ui.clock import UTC_CLOCK, Clock
from dashboard.ui.exchange import exchange
from dashboard.ui.times import format_time, format_times, format_utc
from dashboard.ui.zone import Choice, clock_of
from tests.unit.dashboard.answers import RANGE, anomaly, bucket, drawn, drawn_prices, trade_summary

TOKYO = Clock("Asia/Tokyo")


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visitor who chose Tokyo's clock."""
    monkeypatch.setattr(st, "session_state", {"zone-clock": TOKYO})


def test_without_a_choice_it_is_utc() -> None:
    assert zone.zone() == UTC_CLOCK
    assert clock_of(Choice.EXCHANGE) == exchange() == Clock("America/New_York")


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "\0", "<b>", "x" * 5000])
def test_a_zone_that_the_browser_made_up_is_utc(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(st.context), "timezone", name)
    assert clock_of(Choice.LOCAL) == UTC_CLOCK


def test_the_browsers_zone_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(st.context), "timezone", "Asia/Tokyo")
    assert clock_of(Choice.LOCAL) == TOKYO


@pytest.mark.usefixtures("tokyo")
def test_tables_have_the_chosen_clock_in_a_column_that_sorts() -> None:
    rows = to_anomaly_rows([anomaly("1", **{"@timestamp": "2026-06-01T20:31:00Z"})])
    columns = columns_of(rows, {}, {}, sorts=[TIME])
    assert (columns[0].heading, columns[0].sorts) == ("2026-06-02 (Tokyo)", True)
    (row,) = rows_of(rows, columns, {}, {})
    assert row.cells[0] == ("05:31:00.000", "")


@pytest.mark.usefixtures("tokyo")
def test_texts_are_by_the_chosen_clock_and_name_it() -> None:
    time = dt.datetime(2026, 3, 2, 20, 30, tzinfo=dt.UTC)
    assert format_time(time) == "2026-03-03 05:30:00 Tokyo"
    assert minute("2026-03-02T20:30:00Z") == "2026-03-03 05:30"
    times = pd.Series(pd.to_datetime([time]))
    assert format_times(times).tolist() == ["2026-03-03 05:30:00.000"]
    assert format_utc(times).tolist() == ["2026-03-02 20:30:00.000"]


@pytest.mark.usefixtures("tokyo")
def test_charts_have_the_chosen_clock_on_the_axis_and_both_in_tooltips() -> None:
    trades = trade_summary(bucket(0, {"A": 1}))
    mark = drawn(drawn_prices(trades, anomaly("1")), "marks")[0]
    assert (mark["local"], mark["utc"]) == ("2026-03-02 23:31:00.000", "2026-03-02 14:31:00.000")
    axis = volume_chart(trades, RANGE).spec["layer"][0]["encoding"]["x"]
    assert axis["title"] == "Time (Tokyo)"
    assert str(9 * 3600 * 1000) in axis["axis"]["labelExpr"]


def test_a_chart_that_was_kept_has_the_clock_that_is_chosen_now(monkeypatch: pytest.MonkeyPatch) -> None:
    trades = trade_summary(bucket(0, {"A": 1}))
    titles = []
    for state in ({}, {"zone-clock": TOKYO}, {}):
        monkeypatch.setattr(st, "session_state", state)
        titles.append(volume_chart(trades, RANGE).spec["layer"][0]["encoding"]["x"]["title"])
    assert titles == ["Time (UTC)", "Time (Tokyo)", "Time (UTC)"]
