import datetime as dt

import pytest

from dashboard.ui.time_ranges import (
    MAX_BUCKETS,
    MAX_CANDLES,
    Period,
    TimeRange,
    ago,
    at_exchange,
    bucket_width_s,
    exchange_clock_js,
    periods,
    to_full_hours,
)

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def test_a_session_lasts_from_midnight_to_midnight_at_the_exchange() -> None:
    day_that_loses_an_hour = dt.date(2026, 3, 8)
    assert Period(day_that_loses_an_hour, day_that_loses_an_hour).time_range == TimeRange(
        dt.datetime(2026, 3, 8, 5, tzinfo=dt.UTC), dt.datetime(2026, 3, 9, 4, tzinfo=dt.UTC)
    )


def test_periods_are_the_sessions_and_then_the_spans() -> None:
    days = [dt.date(2026, 3, day) for day in (9, 6, 5, 4, 3, 2)]
    titles = [period.title for period in periods(days)]
    assert titles[:2] == ["Mon 9 Mar 2026", "Fri 6 Mar 2026"]
    assert titles[6:] == ["Last 5 sessions", "Last 6 sessions"]
    assert periods(days)[6] == Period(days[4], days[0], 5)
    assert [period.name for period in periods(days)][5:7] == ["2026-03-02", "last-5"]


def test_one_session_has_no_spans() -> None:
    assert [period.title for period in periods([dt.date(2026, 3, 2)])] == ["Mon 2 Mar 2026"]


@pytest.mark.parametrize("seconds", [1, 59, 600, 57_600, 86_400, 5 * 86_400, 400 * 86_400, 5000 * 86_400])
def test_a_chart_has_no_more_buckets_than_allowed(seconds: int) -> None:
    width_s = bucket_width_s(TimeRange(NOON, NOON + dt.timedelta(seconds=seconds)))
    assert seconds / width_s + 1 <= MAX_BUCKETS
    assert width_s == 1 or seconds / width_s > MAX_BUCKETS / 4


@pytest.mark.parametrize("seconds", [60, 57_600, 30 * 86_400])
def test_candles_are_wider(seconds: int) -> None:
    time_range = TimeRange(NOON, NOON + dt.timedelta(seconds=seconds))
    assert seconds / bucket_width_s(time_range, MAX_CANDLES) + 1 <= MAX_CANDLES


def test_full_hours_enclose_the_trades() -> None:
    last = NOON.replace(minute=59, second=59)
    assert to_full_hours(NOON, last) == TimeRange(NOON, NOON + dt.timedelta(hours=1))
    assert to_full_hours(NOON, NOON).end > NOON


def test_the_exchange_time_names_days_only_where_there_are_several() -> None:
    assert at_exchange(TimeRange(NOON, NOON + dt.timedelta(hours=17))) == "07:00 to 00:00 in New York"
    assert at_exchange(TimeRange(NOON, NOON + dt.timedelta(hours=18))).startswith("02 Mar 07:00 to 03 Mar")


def test_the_exchange_clock_is_five_hours_behind_in_winter() -> None:
    expression = exchange_clock_js(TimeRange(NOON, NOON + dt.timedelta(hours=8)))
    assert expression == f"toNumber(datum.value) + {-5 * 3_600_000}"


def test_the_exchange_clock_is_put_forward_when_it_is() -> None:
    put_forward = dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC)
    expression = exchange_clock_js(TimeRange(NOON, NOON + dt.timedelta(days=9)))
    changed_ms = int(put_forward.timestamp() * 1000)
    assert expression == (
        f"toNumber(datum.value) + (datum.value < {changed_ms} ? {-5 * 3_600_000} : {-4 * 3_600_000})"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (7.9, "7 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (2 * 86_400, "2 days")],
)
def test_age_is_shown_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert ago(seconds) == text
