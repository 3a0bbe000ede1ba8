"""Prices that tell of no scale by themselves: few prints, finer grids, and prices at and through zero."""

import numpy as np
import pytest

from services.detector.detectors.base import Flags
from services.detector.detectors.core.tail import FEW_TRADES
from services.detector.detectors.price.off_market_price import OffMarketPrice
from services.detector.engine.batch import FULLY_ELIGIBLE, SIDE_CODES, Batch
from tests.unit.services.detector.detectors.market import NVDA, OPEN_NS, context

HIGH = 2 / 3
"""Score from which an anomaly is high."""


def tape(prices: np.ndarray, gap_s: float = 1.0) -> Batch:
    """Return trades of one session at these prices, about `gap_s` apart."""
    count = len(prices)
    return Batch(
        slot=np.zeros(count, np.int64),
        event_ns=OPEN_NS + 3_600_000_000_000 + (np.arange(count) * gap_s * 1e9).astype(np.int64),
        price=np.asarray(prices, float),
        size=np.full(count, 100.0),
        side=np.full(count, SIDE_CODES["N"], np.int64),
        eligible=np.full(count, FULLY_ELIGIBLE),
    )


def flags_of(prices: np.ndarray, gap_s: float = 1.0) -> Flags:
    surroundings = context()
    detector = OffMarketPrice(surroundings)
    surroundings.walk.open(0, NVDA)
    trades = tape(prices, gap_s)
    return detector.flag(trades.with_measures(surroundings.walk.advance(trades)))


def bounce(bid: float, ask: float, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([bid, ask], count)


@pytest.mark.parametrize(
    ("bid", "ask"), [(0.05, 0.10), (0.45, 0.50), (0.95, 1.05), (2.95, 3.40), (14.5, 15.2), (0.0005, 0.0007)]
)
@pytest.mark.parametrize("count", [2, 5, 9, 60])
def test_few_prints_that_bounce_between_bid_and_ask_are_no_high_anomalies(
    bid: float, ask: float, count: int
) -> None:
    flagged = 0
    for seed in range(20):
        flags = flags_of(bounce(bid, ask, count, seed), gap_s=30.0)
        assert (flags.score < HIGH).all(), flags.reasons
        flagged += len(flags.at)
    assert flagged <= 4


@pytest.mark.parametrize("at", [20, 40, 99])
@pytest.mark.parametrize("price", [0.8, 4.0, 100.0, 3500.0])
def test_wrong_print_among_a_sessions_first_is_found_and_compared_with_what_was_seen(
    at: int, price: float
) -> None:
    tick = 0.0001 if price < 1 else 0.01
    prices = price + tick * np.random.default_rng(1).integers(-2, 3, 120)
    prices[at] = round(price * 1.3, 4)
    flags = flags_of(prices)
    assert flags.at.tolist() == [at]
    assert f"first {at} trades" in flags.reasons[0]
    assert "once in" not in flags.reasons[0]
    assert flags.value[0] > flags.threshold[0] > price


def test_price_that_just_flags_among_the_first_is_the_threshold() -> None:
    prices = 100 + 0.01 * np.random.default_rng(1).integers(-2, 3, 60)
    prices[40] = 108.0
    threshold = flags_of(prices).threshold[0]
    prices[40] = threshold - 0.01
    assert len(flags_of(prices).at) == 0
    prices[40] = threshold + 0.01
    assert flags_of(prices).score == pytest.approx([0.54], abs=0.01)


def test_second_wrong_print_among_the_first_is_found_as_well() -> None:
    prices = 100 + 0.01 * np.random.default_rng(1).integers(-2, 3, 60)
    prices[30] = 108.0
    prices[50] = 93.0
    assert flags_of(prices).at.tolist() == [30, 50]


@pytest.mark.parametrize(
    ("price", "step", "off"),
    [
        (1.1, 1e-5, 0.008),
        (150.0, 1e-3, 1.2),
        (0.65, 1e-5, 0.006),
        (43_251.5, 0.01, 400.0),
        (2e-5, 1e-9, 3e-7),
        (60_000.0, 1e-8, 500.0),
        (3_000.0, 1e-9, 30.0),
    ],
)
def test_print_off_a_market_with_a_grid_of_its_own_is_found(price: float, step: float, off: float) -> None:
    generator = np.random.default_rng(3)
    prices = np.round(price + step * np.cumsum(generator.integers(-3, 4, 400)), 10)
    prices[300] += off
    flags = flags_of(prices)
    assert 300 in flags.at
    assert len(flags.at) <= 2
    assert "price grid" not in "".join(flags.reasons)


@pytest.mark.parametrize("start", [7.0, 1.0, 0.0, -2.0])
@pytest.mark.parametrize("drift", [-0.37, 0.37])
def test_market_that_runs_through_zero_is_no_error(start: float, drift: float) -> None:
    generator = np.random.default_rng(5)
    prices = np.round(start + np.cumsum(drift + 0.15 * generator.standard_normal(200)), 2)
    flags = flags_of(prices)
    assert len(flags.at) <= 2
    assert np.isfinite(flags.threshold).all()


@pytest.mark.parametrize("middle", [0.0, 0.02, -0.35])
def test_wrong_print_of_a_spread_about_zero_is_told_without_a_percentage(middle: float) -> None:
    prices = np.round(middle + 0.01 * np.random.default_rng(7).integers(-3, 4, 400), 2)
    prices[FEW_TRADES + 100] = 2.5
    flags = flags_of(prices)
    assert flags.at.tolist() == [FEW_TRADES + 100]
    assert "%" not in flags.reasons[0]


def test_session_that_starts_at_zero_learns_its_scale() -> None:
    prices = np.round(0.05 * np.random.default_rng(9).integers(-3, 4, 2_000), 2)
    assert len(flags_of(prices).at) <= 2
