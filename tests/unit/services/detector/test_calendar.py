import datetime as dt

import pytest

from services.common.errors import TapewatchError
from services.detector.calendar import ExchangeCalendar


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


def test_holiday_has_no_auctions() -> None:
    assert ExchangeCalendar("XNAS").auction_times("2024-12-25") == (0, 0)


def test_time_zone_is_the_exchanges() -> None:
    assert ExchangeCalendar("XNAS").time_zone == "America/New_York"


def test_unknown_exchange_is_an_error() -> None:
    with pytest.raises(TapewatchError, match="no calendar for the exchange 'NASDAK'"):
        ExchangeCalendar("NASDAK")
