import datetime as dt

import numpy as np
import pytest

from services.common.exchange_calendar import ExchangeCalendar
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.patterns.time_of_day import (
    LEAST_SHARE,
    QUARTER_NS,
    UsualRates,
    midnight_ns,
    quarter_of,
    usual_activity,
)
from services.detector.detectors.usual_day import QUARTERS, UsualDay, quarter_text
from services.detector.engine.batch import SessionKey
from tests.unit.services.detector.detectors.market import CLOSE_NS, OPEN_NS

CURVE = {quarter_text(at): 0.02 + 0.0013 * (at - 38) for at in range(38, 64)} | {"16:00": 0.02, "04:00": 0.01}


def rates(usual: UsualDay | None, day: str, exchange: str = "XNAS", slot: int = 0) -> UsualRates:
    calendar = ExchangeCalendar(exchange)
    opened = UsualRates(
        DetectorContext(
            lambda _symbol: {},
            calendar.auction_times,
            time_zone=calendar.time_zone,
            usual_day_of=lambda _symbol: usual,
            missing_ns=calendar.missing_ns,
        )
    )
    opened.open(slot, SessionKey("NVDA", day))
    return opened


def moments_of(opened: UsualRates, day: str, quarter: int, exchange: str = "XNAS") -> float:
    """Add up what a quarter of an hour of a day usually has, second by second."""
    auctions = ExchangeCalendar(exchange).auction_times(day)
    own = opened.days[0]
    start_ns = int(own["start_ns"]) + quarter * QUARTER_NS
    times = range(start_ns + 500_000_000, start_ns + QUARTER_NS, 1_000_000_000)
    assert {quarter_of(own, time) for time in times} == {quarter}
    activity: float = sum(usual_activity(*auctions, time) for time in times)
    return activity * float(opened.factors[own["row"], quarter])


@pytest.mark.parametrize(
    ("day", "time", "as_usual_at"),
    [
        ("2024-12-02", "09:30", "09:30"),  # winter
        ("2025-05-05", "09:30", "09:30"),  # summer
        ("2025-05-05", "15:45", "15:45"),
        ("2024-11-29", "09:30", "09:30"),  # a half day: its last hour is as the last hour of others
        ("2024-11-29", "11:45", "11:45"),
        ("2024-11-29", "12:00", "15:00"),
        ("2024-11-29", "12:45", "15:45"),
        ("2024-11-29", "13:00", "16:00"),
        ("2024-11-29", "04:00", "04:00"),
    ],
)
def test_a_quarter_of_an_hour_has_what_the_profile_says(day: str, time: str, as_usual_at: str) -> None:
    usual = UsualDay(moments=50_000, by_quarter_hour=CURVE)
    quarter = [quarter_text(at) for at in range(QUARTERS)].index(time)
    expected = 50_000 * CURVE[as_usual_at] / sum(CURVE.values())
    assert moments_of(rates(usual, day), day, quarter) == pytest.approx(expected, rel=0.01)


def test_within_a_quarter_of_an_hour_the_minutes_around_auctions_keep_their_shape() -> None:
    opened = rates(UsualDay(moments=50_000, by_quarter_hour=CURVE), "2024-12-02")
    assert len(set(opened.factors[1, 38:64])) == 26
    own = opened.days[0]
    at_open, before_ten = (
        usual_activity(OPEN_NS, CLOSE_NS, time) * opened.factors[own["row"], quarter_of(own, time)]
        for time in (OPEN_NS, OPEN_NS + 14 * 60_000_000_000)
    )
    assert at_open > 2 * before_ten


def test_a_time_that_nobody_trades_at_has_a_least_share() -> None:
    opened = rates(UsualDay(moments=50_000, by_quarter_hour=CURVE), "2024-12-02")
    assert moments_of(opened, "2024-12-02", 0) == pytest.approx(50_000 * LEAST_SHARE, rel=0.01)


def test_moments_without_a_curve_lie_as_those_of_any_share() -> None:
    opened = rates(UsualDay(moments=50_000), "2024-12-02")
    assert np.ptp(opened.factors[1, 36:66]) < 1e-9 * opened.factors[1, 40]
    total = sum(moments_of(opened, "2024-12-02", quarter) for quarter in range(32, 68))
    assert total == pytest.approx(50_000, rel=0.1)


def test_a_market_that_never_closes_has_the_curve_as_it_is() -> None:
    usual = UsualDay(moments=9_600, by_quarter_hour={quarter_text(at): 1 / 96 for at in range(QUARTERS)})
    opened = rates(usual, "2024-12-01", "24/7")
    assert opened.factors[1] == pytest.approx(np.full(QUARTERS, 100 / 900))


@pytest.mark.parametrize(
    ("usual", "day"),
    [(None, "2024-12-02"), (UsualDay(shares=5), "2024-12-02"), (UsualDay(moments=5), "")],
)
def test_without_a_curve_and_moments_and_without_a_day_nothing_changes(
    usual: UsualDay | None, day: str
) -> None:
    opened = rates(usual, day)
    assert opened.days[0]["row"] == 0
    assert opened.days[0]["least_pace"] == 0
    assert (opened.factors[0] == 1).all()


def test_sessions_of_equal_days_share_their_factors() -> None:
    opened = rates(UsualDay(moments=50_000, by_quarter_hour=CURVE), "2024-12-02")
    for slot, day in enumerate(("2024-12-03", "2025-05-05", "2024-11-29", "2023-11-24"), 1):
        opened.open(slot, SessionKey("NVDA", day))
    assert opened.days["row"].tolist()[:5] == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("day", "utc"), [("2024-12-02", "05:00"), ("2025-05-05", "04:00"), ("2024-11-03", "05:00")]
)
def test_a_day_begins_by_the_exchanges_clock(day: str, utc: str) -> None:
    start = dt.datetime.fromtimestamp(midnight_ns(day, "America/New_York") / 1e9, dt.UTC)
    assert start.strftime("%Y-%m-%d %H:%M") == f"{day} {utc}"


def test_times_beyond_a_day_are_in_its_first_and_last_quarter_of_an_hour() -> None:
    own = rates(UsualDay(moments=1), "2024-12-02").days[0]
    start_ns = int(own["start_ns"])
    assert [quarter_of(own, start_ns + n * QUARTER_NS) for n in (-5, 0, 95, 96)] == [0, 0, 95, 95]
