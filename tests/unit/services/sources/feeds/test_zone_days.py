import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sources.feeds.zone_days import ZoneDays

LAST_NS = 9_000_000_000 * 10**9
NEW_YORK = ZoneDays("America/New_York")


@given(st.integers(0, LAST_NS))
def test_a_days_text_is_that_of_the_zones_calendar(time_ns: int) -> None:
    moment = dt.datetime.fromtimestamp(time_ns // 10**9, ZoneInfo("America/New_York"))
    assert NEW_YORK.text(time_ns) == f"{moment:%Y%m%d}"


@pytest.mark.parametrize(("hour", "day"), [(3, "20260405"), (4, "20260406")])
def test_a_day_begins_at_midnight_in_new_york(hour: int, day: str) -> None:
    moment = dt.datetime(2026, 4, 6, hour, 59, 59, tzinfo=dt.UTC)
    assert NEW_YORK.text(int(moment.timestamp()) * 10**9) == day
