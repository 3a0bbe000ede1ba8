import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.rates import slope
from benchmarks.topics import Seen
from services.common.errors import TapewatchError


def test_rate_is_from_the_first_commit_to_the_last_one_before_the_end() -> None:
    seen = [Seen(0, 0), Seen(1, 100), Seen(2, 300), Seen(3, 300), Seen(9, 400)]
    assert slope(seen, 400) == 200


@given(rate=st.integers(1, 10**6), steps=st.integers(3, 50), late_s=st.floats(0, 10))
def test_neither_the_start_nor_a_late_end_changes_the_rate(rate: int, steps: int, late_s: float) -> None:
    seen = [Seen(5.0 + step, rate * step) for step in range(steps)]
    seen.append(Seen(5.0 + steps + late_s, rate * steps))
    assert slope(seen, rate * steps) == pytest.approx(rate)


def test_too_few_commits_are_no_rate() -> None:
    with pytest.raises(TapewatchError, match="too few trades"):
        slope([Seen(0, 0), Seen(1, 100), Seen(2, 200)], 200)
