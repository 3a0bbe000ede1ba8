"""What counts as growing in a soak."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.growth import Growth, Limit, growing, growth_of

LIMIT = Limit("MB", 0.15, 40.0)
LASTING = replace(LIMIT, below=0.9)


def test_a_leak_is_named_with_both_figures() -> None:
    leaking = [(float(second), 300.0 + second) for second in range(1_200)]
    growth = growth_of(leaking, 1_200.0, LIMIT)
    assert growth == Growth(1_019.0, 1_499.0, LIMIT)
    assert growing({"memory: detector-b": growth}) == [
        "memory: detector-b grew from 1,019 to 1,499 MB",
    ]


def test_a_leak_is_as_large_where_peaks_are_left_out() -> None:
    leaking = [(float(second), 300.0 + second) for second in range(1_200)]
    growth = growth_of(leaking, 1_200.0, LASTING)
    assert growth == Growth(972.0, 1_452.0, LASTING)
    assert growth.is_growing


@given(st.floats(0, 1e4), st.integers(8, 50))
def test_what_starts_again_from_little_and_comes_back_has_not_grown(usual: float, kills: int) -> None:
    saw = [(float(second), usual * (second % (1_200 // kills)) * kills / 1_200) for second in range(1_200)]
    growth = growth_of(saw, 1_200.0, LIMIT)
    assert growth is not None
    assert not growth.is_growing


def test_what_fills_in_the_first_fifth_has_not_grown() -> None:
    filling = [(float(second), min(second, 230.0)) for second in range(1_200)]
    growth = growth_of(filling, 1_200.0, LIMIT)
    assert growth is not None
    assert not growth.is_growing


@given(st.integers(1, 40), st.floats(0, 1e6))
def test_a_peak_of_less_than_a_tenth_of_the_time_is_growth_only_where_greatest_values_are_compared(
    seconds: int, peak: float
) -> None:
    def is_growing(lasting_s: int, limit: Limit) -> bool:
        points = [(float(at), peak if 1_000 <= at < 1_000 + lasting_s else 5.0) for at in range(1_200)]
        growth = growth_of(points, 1_200.0, limit)
        assert growth is not None
        return growth.is_growing

    assert is_growing(seconds, LIMIT) == (peak > 45.0)
    assert not is_growing(seconds, LASTING)
    assert is_growing(60, LASTING) == (peak > 45.0)


def test_little_more_of_little_is_allowed_by_the_amount_and_of_much_by_the_share() -> None:
    assert not Growth(10.0, 49.0, LIMIT).is_growing
    assert Growth(10.0, 51.0, LIMIT).is_growing
    assert not Growth(1_000.0, 1_149.0, LIMIT).is_growing
    assert Growth(1_000.0, 1_151.0, LIMIT).is_growing


def test_a_figure_that_a_part_lacks_is_not_compared() -> None:
    assert growth_of([(0.0, 1.0), (1_100.0, 9.0)], 1_200.0, LIMIT) is None
