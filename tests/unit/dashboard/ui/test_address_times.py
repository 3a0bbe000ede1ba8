import datetime as dt

import pytest

from dashboard.ui.address_times import to_text, to_time, whole_minutes

AT = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize("text", ["2026-03-02T14:30Z", "2026-03-02T14:30", "2026-03-02T09:30-05:00"])
def test_a_time_of_an_address_is_utc(text: str) -> None:
    assert to_time(text) == AT
    assert to_text(to_time(text)) == "2026-03-02T14:30Z"


@pytest.mark.parametrize(
    ("start_s", "end_s", "minutes"), [(0, 0, (0, 1)), (0, 60, (0, 1)), (59.9, 60.1, (0, 2)), (5, 6, (0, 1))]
)
def test_whole_minutes_have_both_times_in_them(
    start_s: float, end_s: float, minutes: tuple[int, int]
) -> None:
    found = whole_minutes(AT + dt.timedelta(seconds=start_s), AT + dt.timedelta(seconds=end_s))
    assert (found.start, found.end) == tuple(AT + dt.timedelta(minutes=minute) for minute in minutes)
