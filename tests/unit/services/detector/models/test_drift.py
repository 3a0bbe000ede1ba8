import numpy as np
import pytest

from services.detector.models.drift import PARTS, DriftCounter, measure_spread, stability_index


def rows(seed: int, moved: float = 0.0) -> np.ndarray:
    """Return a normal feature, one that is 0 or 1, and one that is not defined for half of the trades."""
    rng = np.random.default_rng(seed)
    found = np.column_stack([rng.normal(moved, 1, 4_000), rng.random(4_000) < 0.2, rng.normal(size=4_000)])
    found[rng.random(4_000) < 0.5, 2] = np.nan
    return found


def test_shares_add_up_and_continuous_parts_are_equal() -> None:
    spread = measure_spread(rows(1), np.ones(4_000))
    for one in spread:
        assert len(one.edges) == PARTS - 1
        assert one.edges == sorted(one.edges)
        assert sum(one.shares) == pytest.approx(1)
    assert spread[0].shares == pytest.approx([0.1] * PARTS + [0], abs=0.001)
    assert sorted(spread[1].shares)[-2:] == pytest.approx([0.2, 0.8], abs=0.02)
    assert spread[2].shares[-1] == pytest.approx(0.5, abs=0.03)


def test_a_trade_counts_as_many_as_it_stands_for() -> None:
    values = np.array([[1.0], [2.0]])
    [one] = measure_spread(values, np.array([1.0, 9.0]))
    assert one.shares[0] == pytest.approx(0.1)


def test_the_same_market_has_no_drift_and_a_moved_one_has() -> None:
    counter = DriftCounter(measure_spread(rows(1), np.ones(4_000)))
    assert stability_index(counter.expected, counter.count(rows(2))).max() < 0.02
    moved = stability_index(counter.expected, counter.count(rows(2, moved=1.0)))
    assert moved[0] > 0.25
    assert moved[1:].max() < 0.02


def test_a_feature_that_is_never_defined_drifts_when_it_is() -> None:
    never = np.full((50, 1), np.nan)
    counter = DriftCounter(measure_spread(never, np.ones(50)))
    assert stability_index(counter.expected, counter.count(never)).tolist() == [0.0]
    assert stability_index(counter.expected, counter.count(np.ones((50, 1))))[0] > 1
