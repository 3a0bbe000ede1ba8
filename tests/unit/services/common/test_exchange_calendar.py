import datetime as dt

import pytest

from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar


@pytest.mark.parametrize(
    ("day", "opening", "closing"),
    [
        ("2024-12-02", "14:30", "21:00"),  # winter
        ("2025-05-05", "13:30", "20:00"),  # summer
        ("2024-11-29", "14:30", "18:00"),  # the half day after Thanksgiving
    ],
)
def test_auctions_follow_daylight_saving_and_half_days(day: str, opening: str, closing: str) -> None:
    times = ExchangeCalendar("XNAS").auction_times(day)
    texts = [dt.datetime.fromtimestamp(ns / 1e9, dt.UTC).strftime("%Y-%m-%d %H:%M") for ns in times]
    assert texts == [f"{day} {opening}", f"{day} {closing}"]


@pytest.mark.parametrize("day", ["2024-12-25", "2023-01-01", "2022-12-31", "1970-01-01"])
def test_holidays_and_days_beyond_the_calendar_have_no_auctions(day: str) -> None:
    assert ExchangeCalendar("XNAS").auction_times(day) == (0, 0)


@pytest.mark.slow
def test_calendar_with_bounds_has_no_auctions_outside_of_them() -> None:
    assert ExchangeCalendar("XKRX").auction_times("2200-06-01") == (0, 0)


def test_a_market_that_never_closes_has_no_auctions() -> None:
    assert ExchangeCalendar("24/7").auction_times("2024-12-02") == (0, 0)


@pytest.mark.parametrize(
    ("exchange", "day", "hours"),
    [
        ("XNAS", "2024-12-02", 0),
        ("XNAS", "2025-05-05", 0),
        ("XNAS", "2024-11-29", 3),  # a half day
        ("XNAS", "2024-12-01", None),  # a Sunday
        ("XTKS", "2024-12-02", -0.5),  # it closes later since November
        ("24/7", "2024-12-01", 0),
    ],
)
def test_half_days_miss_hours_of_most_days(exchange: str, day: str, hours: float | None) -> None:
    missing_ns = ExchangeCalendar(exchange).missing_ns(day)
    assert missing_ns == (None if hours is None else hours * 3600 * 10**9)


def test_time_zone_is_the_exchanges() -> None:
    assert ExchangeCalendar("XNAS").time_zone == "America/New_York"


def test_unknown_exchange_is_an_error() -> None:
    with pytest.raises(TapewatchError, match="The exchange 'NASDAK' is unknown"):
        ExchangeCalendar("NASDAK")


def test_calendar_that_the_library_cannot_build_is_an_error_with_its_cause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(code: str, year: int) -> None:
        raise OverflowError("no rule for this year: " + "2024-01-07, " * 500)

    monkeypatch.setattr("services.common.exchange_calendar._year", fail)
    with pytest.raises(TapewatchError, match="'XNAS' cannot be built: no rule for this year") as caught:
        ExchangeCalendar("XNAS")
    assert len(caught.value.cause) < 300
    assert "Name an exchange" in caught.value.hint
