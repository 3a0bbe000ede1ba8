import datetime as dt

import pytest

from services.export.index import Range

DAY = dt.date(2026, 3, 2)


@pytest.mark.parametrize(
    ("wanted", "flags", "period"),
    [
        (Range(None, None), "", ""),
        (Range(DAY, None), "--from 2026-03-02", " from 2026-03-02"),
        (Range(None, DAY, ("A", "B C")), "--to 2026-03-02 --symbols 'A,B C'", " before 2026-03-02"),
    ],
)
def test_a_range_is_told_as_the_flags_that_choose_it(wanted: Range, flags: str, period: str) -> None:
    assert (wanted.flags, wanted.period) == (flags, period)


def test_a_day_is_asked_for_whole_and_only_for_the_chosen_symbols() -> None:
    wanted = Range(dt.date(2026, 1, 1), None, ("A", "B"))
    times = {"range": {"@timestamp": {"gte": "2026-03-02T00:00:00Z", "lt": "2026-03-03T00:00:00Z"}}}
    assert wanted.query(DAY) == {"bool": {"filter": [times, {"terms": {"symbol": ["A", "B"]}}]}}
    assert wanted.query(DAY, "A") == {"bool": {"filter": [times, {"terms": {"symbol": ["A"]}}]}}
    assert Range(None, None).query() == {"bool": {"filter": []}}
