import pandas as pd
import pytest

from dashboard.ui.clock import UTC_CLOCK, Clock


@pytest.mark.parametrize(
    ("time_zone", "city"),
    [("America/New_York", "New York"), ("America/Argentina/Buenos_Aires", "Buenos Aires"), ("UTC", "UTC")],
)
def test_a_clock_is_called_by_its_city(time_zone: str, city: str) -> None:
    assert Clock(time_zone).city == city
    assert Clock(time_zone).heading == f"Time ({city})"


def test_times_are_those_of_the_clock_in_summer_and_in_winter() -> None:
    times = pd.Series(pd.to_datetime(["2026-01-05T14:30Z", "2026-07-06T13:30Z"]))
    assert Clock("America/New_York").local(times).dt.strftime("%H:%M").tolist() == ["09:30", "09:30"]
    assert UTC_CLOCK.local(times).dt.strftime("%H:%M").tolist() == ["14:30", "13:30"]
