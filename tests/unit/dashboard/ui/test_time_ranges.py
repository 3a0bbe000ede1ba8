import datetime as dt

import pytest

from dashboard.ui.clock import Clock
from dashboard.ui.time_ranges import (
    MAX_BUCKETS,
    MAX_CANDLES,
    Period,
    Rolling,
    TimeRange,
    ago,
    bucket_width_s,
    clock_js,
    find_period,
    periods,
    rolling,
    session_of,
    to_round_times,
    whole_of,
    within,
)

NEW_YORK = Clock("America/New_York")
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def test_a_session_lasts_from_midnight_to_midnight_at_the_exchange() -> None:
    day_that_loses_an_hour = dt.date(2026, 3, 8)
    assert Period(day_that_loses_an_hour, day_that_loses_an_hour).time_range == TimeRange(
        dt.datetime(2026, 3, 8, 5, tzinfo=dt.UTC), dt.datetime(2026, 3, 9, 4, tzinfo=dt.UTC)
    )


def test_the_session_of_a_time_is_the_exchanges_day() -> None:
    sunday = dt.date(2026, 3, 1)
    before_midnight = Period(sunday, sunday).time_range.end - dt.timedelta(microseconds=1)
    assert session_of(before_midnight) == Period(sunday, sunday)
    assert session_of(before_midnight + dt.timedelta(microseconds=1)).first == dt.date(2026, 3, 2)


def test_of_a_session_its_trades_are_shown_and_of_the_last_minutes_all() -> None:
    (quarter, _) = rolling(NOON, NOON)
    assert whole_of(quarter, NOON, NOON) == quarter.time_range
    assert whole_of(session_of(NOON), NOON, NOON) == to_round_times(NOON, NOON)


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


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (None, (0, 8)),
        ((2, 3), (2, 3)),
        ((-1, 3), (0, 3)),
        ((5, 9), (5, 8)),
        ((-2, 10), (0, 8)),
        ((8, 10), (0, 8)),
        ((-3, -1), (0, 8)),
        ((3, 2), (0, 8)),
    ],
)
def test_of_what_is_wanted_the_part_inside_is_shown_and_without_one_the_whole(
    wanted: tuple[int, int] | None, shown: tuple[int, int]
) -> None:
    def hours(start: int, end: int) -> TimeRange:
        return TimeRange(NOON + dt.timedelta(hours=start), NOON + dt.timedelta(hours=end))

    assert within(None if wanted is None else hours(*wanted), hours(0, 8)) == hours(*shown)


def test_full_hours_enclose_the_trades() -> None:
    first, last = NOON.replace(minute=59), NOON.replace(hour=13, minute=59, second=59)
    assert to_round_times(first, last) == TimeRange(NOON, NOON + dt.timedelta(hours=2))


def test_full_five_minutes_enclose_the_trades_of_a_session_that_has_just_begun() -> None:
    first, last = NOON.replace(minute=8, microsecond=1), NOON.replace(minute=10)
    assert to_round_times(first, last) == TimeRange(NOON.replace(minute=5), NOON.replace(minute=15))
    assert to_round_times(NOON, NOON) == TimeRange(NOON, NOON.replace(minute=5))


def test_new_yorks_clock_is_five_hours_behind_in_winter() -> None:
    expression = clock_js(TimeRange(NOON, NOON + dt.timedelta(hours=8)), NEW_YORK)
    assert expression == f"toNumber(datum.value) + {-5 * 3_600_000}"


def test_new_yorks_clock_is_put_forward_when_it_is() -> None:
    put_forward = dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC)
    expression = clock_js(TimeRange(NOON, NOON + dt.timedelta(days=9)), NEW_YORK)
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


def test_a_span_of_more_sessions_than_there_are_is_the_longest_one() -> None:
    days = [dt.date(2026, 3, 4), dt.date(2026, 3, 3)]
    longest = find_period(periods(days), "last-5")
    assert longest is not None
    assert (longest.name, longest.first) == ("last-2", days[1])
    only: list[Period | Rolling] = [*rolling(NOON, NOON), *periods(days[:1])]
    assert find_period(only, "last-5") == only[-1]
    assert find_period(periods(days), "last-7") is None
    assert find_period(periods(days), None) is None


def test_the_last_minutes_end_at_the_clock_while_the_tape_is_live() -> None:
    now = NOON + dt.timedelta(seconds=7)
    quarter, hour = rolling(now - dt.timedelta(minutes=20), now)
    assert quarter.time_range == TimeRange(NOON - dt.timedelta(minutes=14), NOON + dt.timedelta(minutes=1))
    assert hour.time_range == TimeRange(NOON - dt.timedelta(minutes=55), NOON + dt.timedelta(minutes=5))
    assert [one.title for one in (quarter, hour)] == ["Last 15 minutes", "Last hour"]


def test_the_last_minutes_of_an_old_day_end_at_its_newest_trade() -> None:
    newest = NOON + dt.timedelta(seconds=59)
    (quarter, _) = rolling(newest, NOON + dt.timedelta(days=300))
    assert quarter.time_range.end == NOON + dt.timedelta(minutes=1)
    assert quarter == rolling(NOON, NOON + dt.timedelta(days=301))[0]  # it stays put within its step


def test_the_last_minutes_of_a_tape_that_is_dated_ahead_end_with_it() -> None:
    (quarter, _) = rolling(NOON + dt.timedelta(days=3), NOON)
    assert quarter.end == NOON + dt.timedelta(days=3, minutes=1)
