from fractions import Fraction
from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.detector.offline.tuning.evidence.bounds import CONFIDENCE, interval, least, most, most_of_strata

DOUBT = 1 - CONFIDENCE


def drawn_of(population: int, having: int, sample: int) -> dict[int, Fraction]:
    """Count every possible sample: how probable it is to find so many."""
    found: dict[int, int] = {}
    for one in combinations(range(population), sample):
        number = sum(place < having for place in one)
        found[number] = found.get(number, 0) + 1
    return {number: Fraction(count, comb(population, sample)) for number, count in found.items()}


@pytest.mark.parametrize(("population", "sample"), [(1, 1), (7, 3), (9, 4), (10, 10), (12, 1)])
def test_the_bound_holds_as_often_as_it_says_whatever_the_truth(population: int, sample: int) -> None:
    for having in range(population + 1):
        chances = drawn_of(population, having, sample)
        assert (
            sum(
                chance
                for found, chance in chances.items()
                if most(population, sample, found, DOUBT) >= having
            )
            >= CONFIDENCE
        )
        within = [
            found
            for found in chances
            if interval(population, sample, found)[0] <= having <= interval(population, sample, found)[1]
        ]
        assert sum(chances[found] for found in within) >= CONFIDENCE


SAMPLES = st.tuples(st.integers(0, 400), st.integers(0, 60), st.integers(0, 60)).map(
    lambda three: (three[0], min(three[1], three[0]), min(three))
)


@given(SAMPLES)
def test_the_bounds_are_possible_and_in_order(given_sample: tuple[int, int, int]) -> None:
    population, sample, found = given_sample
    low, high = interval(population, sample, found)
    assert found <= low <= high <= population - (sample - found)
    assert most(population, sample, found, DOUBT) <= high
    if sample == population:
        assert low == high == found


@given(SAMPLES)
def test_a_larger_sample_without_finding_any_leaves_less(given_sample: tuple[int, int, int]) -> None:
    population, sample, _ = given_sample
    bounds = [most(population, size, 0, DOUBT) for size in range(sample + 1)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] == population
    assert least(population, sample, sample, DOUBT) == population - bounds[sample]


def test_many_prints_give_nearly_clopper_and_pearsons_bound() -> None:
    # 1 - 0.05 ** (1 / 20), the binomial's for 0 of 20
    assert most(100_000, 20, 0, DOUBT) / 100_000 == pytest.approx(0.1391, abs=1e-3)


def test_several_strata_share_the_doubt() -> None:
    alone = most(500, 10, 0, DOUBT)
    both = most_of_strata([(500, 10, 0), (80, 10, 1)])
    assert both == most(500, 10, 0, DOUBT / 2) + most(80, 10, 1, DOUBT / 2)
    assert both > alone
    assert most_of_strata([]) == 0


@pytest.mark.parametrize("wrong", [(5, 6, 0), (5, 3, 4), (5, 3, -1)])
def test_impossible_samples_are_errors(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="drawn of"):
        most(*wrong, DOUBT)
