import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.detector.offline.evaluation.confidence import interval_of_mean, interval_of_ratio

values = st.lists(st.floats(0, 1), min_size=2, max_size=8)


def test_equal_days_leave_no_doubt() -> None:
    assert interval_of_mean([0.5, 0.5, 0.5]) == (0.5, 0.5)


def test_days_with_more_events_weigh_more() -> None:
    interval = interval_of_ratio([0, 100], [1, 100])
    assert interval is not None
    assert interval[0] == 0.0
    assert interval[1] == 1.0
    low, high = interval_of_ratio([1, 60, 0], [2, 100, 0]) or (0, 0)
    assert [low, high] == pytest.approx([0.5, 0.6])


@pytest.mark.parametrize(("found", "of"), [([1.0], [2.0]), ([], []), ([0.0, 1.0], [0.0, 3.0])])
def test_one_day_says_nothing_of_days(found: list[float], of: list[float]) -> None:
    assert interval_of_ratio(found, of) is None


@given(days=values)
def test_the_interval_is_within_the_days_and_around_their_mean(days: list[float]) -> None:
    interval = interval_of_mean(days)
    assert interval is not None
    low, high = interval
    assert min(days) - 1e-12 <= low <= high <= max(days) + 1e-12
