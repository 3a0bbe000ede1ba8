import datetime as dt

import pytest

from dashboard.pages.overview.freshness import Arrival, describe
from dashboard.pages.overview.price_chart import price_chart
from dashboard.pages.search.table import sorted_by
from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.server.indexed_data import Documents, IndexedData
from dashboard.settings import DashboardSettings
from dashboard.ui.anomaly_table import column_config, to_judged_table
from dashboard.ui.exchange import Exchange, exchange
from dashboard.ui.time_ranges import Period, TimeRange, at_exchange, exchange_clock_js
from services.common.errors import TapewatchError
from services.detector.profiles.profile import Profile
from tests.unit.dashboard.answers import RANGE, anomaly, anomaly_summary, bucket, drawn, trade_summary

SUMMER_TIME_BEGINS = dt.date(2026, 3, 29)


def test_without_a_setting_it_is_the_exchange_of_a_profile_without_one() -> None:
    assert DashboardSettings.model_fields["exchange"].default == Profile.model_fields["exchange"].default
    assert exchange() == Exchange("America/New_York")


@pytest.mark.parametrize(
    ("time_zone", "city"),
    [("America/New_York", "New York"), ("America/Argentina/Buenos_Aires", "Buenos Aires"), ("UTC", "UTC")],
)
def test_the_clock_is_called_by_its_city(time_zone: str, city: str) -> None:
    assert Exchange(time_zone).city == city


@pytest.mark.usefixtures("london")
def test_sessions_of_london_are_londons_days() -> None:
    assert Period(SUMMER_TIME_BEGINS, SUMMER_TIME_BEGINS).time_range == TimeRange(
        dt.datetime(2026, 3, 29, tzinfo=dt.UTC), dt.datetime(2026, 3, 29, 23, tzinfo=dt.UTC)
    )


@pytest.mark.usefixtures("london")
def test_charts_have_londons_clock() -> None:
    chart = price_chart(trade_summary(bucket(0, {"A": 1})), anomaly_summary(anomaly("1")), RANGE, {})
    assert chart.spec["layer"][0]["encoding"]["x"]["title"] == "Time in London"
    assert drawn(chart, 5)[0]["exchange"] == "2026-03-02 14:31:00.000"
    assert exchange_clock_js(RANGE) == "toNumber(datum.value) + 0"


@pytest.mark.usefixtures("london")
def test_tables_have_londons_clock_in_a_column_that_sorts() -> None:
    rows = to_anomaly_rows([anomaly("1", **{"@timestamp": "2026-06-01T14:31:00Z"})])
    assert to_judged_table(rows, {}, {})["London"].tolist() == ["15:31:00"]
    assert "London" in column_config(rows)
    assert "London" in sorted_by()


@pytest.mark.usefixtures("london")
def test_texts_name_london() -> None:
    assert at_exchange(RANGE) == "14:30 to 16:30 in London"
    indexed = IndexedData(Documents(1, RANGE.start), Documents(0, None), None)
    text = describe(indexed, Arrival(0, RANGE.start), RANGE.end)
    assert "London)" in text


def test_unknown_exchange_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_EXCHANGE", "NASDAK")
    exchange.cache_clear()
    with pytest.raises(TapewatchError, match="The exchange 'NASDAK' is unknown"):
        exchange()
