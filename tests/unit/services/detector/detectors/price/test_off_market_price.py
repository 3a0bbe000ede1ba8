"""Prices that tell of no scale by themselves: few prints, finer grids, and prices at and through zero."""

import numpy as np
import pytest

from services.detector.detectors.base import Flags
from services.detector.detectors.core.tail import ALERT, FEW_TRADES, score_of
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
    detector.open(0, NVDA)
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


CRITICAL = float(score_of(np.array(3 * ALERT)))


def test_one_step_is_never_off_the_market_however_calm_it_is() -> None:
    for start, step in [(138.42, 0.01), (110.0, 1 / 64), (5_000.0, 0.25), (1.08431, 1e-5), (0.0125, 1e-4)]:
        prices = np.full(6_000, start)
        prices[:200] += step * np.random.default_rng(1).integers(0, 2, 200)
        prices[3_000:3_200] += step
        prices[5_000] += step
        assert len(flags_of(prices).at) == 0, (start, step)


@pytest.mark.parametrize(("start", "step"), [(4.0, 0.01), (0.0125, 0.0001), (0.5, 0.05)])
def test_one_large_step_is_never_off_the_market_and_two_are(start: float, step: float) -> None:
    generator = np.random.default_rng(11)
    # Many prints at one price, a step now and then, and sometimes a print at the other side of the spread.
    level = np.cumsum(generator.choice([-1, 0, 1], 8_000, p=[0.002, 0.996, 0.002]))
    other_side = generator.random(8_000) < 0.01
    prices = np.round(start + step * (level + other_side), 6)
    learnt = 1_000  # where the step is more than the profile's tick
    assert (flags_of(prices, gap_s=0.3).at < learnt).all()
    errors = [3_000, 4_500, 6_000, 7_500]
    for at in errors:
        prices[at - 20 : at + 20] = prices[at - 20]
        prices[at] += 2 * step
    found = flags_of(prices, gap_s=0.3).at
    assert set(errors) <= set(found.tolist())
    assert (found >= learnt).sum() <= len(errors) + 1


def test_errors_on_both_sides_of_a_slow_market_do_not_hide_each_other() -> None:
    prices = np.round(138.42 + 0.01 * np.random.default_rng(13).integers(-3, 4, 2_000), 2)
    errors = np.arange(1_000, 1_024, 3)
    prices[errors] = np.round(138.42 * np.resize([1.04, 0.96], len(errors)), 2)
    assert set(errors.tolist()) <= set(flags_of(prices, gap_s=15.0).at.tolist())


def test_a_market_that_stood_still_all_day_may_start_to_move() -> None:
    generator = np.random.default_rng(2)
    prices = np.concatenate(
        [np.zeros(3_000), np.round(np.cumsum(generator.choice([-0.05, 0.0, 0.05], 3_000)), 2)]
    )
    flags = flags_of(prices)
    assert len(flags.at) <= 25
    assert (flags.at < 3_200).all()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("wrong", [1_384.2, 13.842, 0.0001, 13_842.0, 0.0, -138.42, 111.0, 166.0])
def test_a_wrong_first_or_second_price_is_told_by_those_after_it_and_forgotten(
    wrong: float, number: int
) -> None:
    prices = np.round(138.42 + 0.01 * np.random.default_rng(3).integers(-3, 4, 600), 2)
    prices[number - 1] = wrong
    prices[300] = 140.9
    flags = flags_of(prices)
    told, later = flags.at.tolist()
    assert 2 <= told <= 5
    assert later == 300
    assert flags.of_print is not None
    assert flags.of_print.tolist() == [number, 0]
    assert flags.value[0] == wrong
    assert flags.reasons[0].startswith(
        f"the session's {'second' if number == 2 else 'first'} price {wrong:,.10g} is"
    )
    assert flags.score[1] > CRITICAL
    assert abs(flags.value[0] - 138.42) > abs(flags.threshold[0] - 138.42)


def test_a_wrong_first_price_is_told_in_words() -> None:
    flags = flags_of(np.array([1_384.2, 138.41, 138.42, 138.42, 138.43, 138.42]))
    assert flags.reasons == [
        "the session's first price 1,384.2 is 900.00% above the 138.41 to 138.42 of the two trades after it "
        "(x10: a slipped decimal point?)"
    ]


@pytest.mark.parametrize("gap_s", [0.1, 60.0, 3_600.0])
def test_a_first_price_that_the_market_has_left_since_is_no_error(gap_s: float) -> None:
    flagged = 0
    for seed in range(100):
        moves = 1e-4 * np.sqrt(gap_s) * np.random.default_rng(seed).standard_normal(60)
        flagged += int((flags_of(np.round(140.0 * np.exp(np.cumsum(moves)), 2), gap_s).at < 10).sum())
    assert flagged <= 1


def test_the_moves_to_and_from_a_wrong_first_price_hide_no_other_error() -> None:
    prices = np.round(138.42 + 0.01 * np.random.default_rng(3).integers(-3, 4, 100), 2)
    prices[0] = 111.0
    prices[50] = 146.0
    assert 50 in flags_of(prices).at


@pytest.mark.parametrize("spread", [0.0005, 0.006])
@pytest.mark.parametrize("gap_s", [60.0, 1_000.0])
def test_a_symbol_that_hardly_trades_is_judged_by_its_own_moves(spread: float, gap_s: float) -> None:
    days, found, alarms, trades = 40, 0, 0, 0
    for seed in range(days):
        generator = np.random.default_rng(seed)
        count = int(23_400 / gap_s)
        path = 140.0 * np.exp(np.cumsum(2e-4 * np.sqrt(gap_s) * generator.standard_normal(count)))
        prices = np.round(path * (1 + 0.5 * spread * generator.choice([-1, 1], count)), 2)
        alarms += len(flags_of(prices, gap_s).at)
        trades += count
        at = count // 2
        prices[at] = np.round(prices[at] * (1 + generator.choice([-0.06, 0.06])), 2)
        found += at in flags_of(prices, gap_s).at
    assert alarms <= 0.002 * trades + 1
    assert found >= 0.8 * days


def test_a_scale_that_slips_for_minutes_is_an_alert_at_its_start_alone() -> None:
    generator = np.random.default_rng(4)
    prices = np.round(138.42 + 0.01 * np.cumsum(generator.choice([-1, 0, 1], 3_000)), 2)
    prices[1_000:1_400] = np.round(prices[1_000:1_400] / 10, 4)
    flags = flags_of(prices)
    assert flags.at[0] == 1_000
    assert len(flags.at) <= 3
    assert "/10: a slipped decimal point?" in flags.reasons[0]
    prices[2_500] += 2.0
    assert 2_500 in flags_of(prices).at


def test_a_split_is_an_alert_at_its_start_alone() -> None:
    generator = np.random.default_rng(5)
    prices = np.round(138.42 + 0.01 * np.cumsum(generator.choice([-1, 0, 1], 3_000)), 2)
    prices[1_000:] = np.round(prices[1_000:] / 3, 4)
    flags = flags_of(prices)
    assert flags.at[0] == 1_000
    assert len(flags.at) <= 3


def test_the_price_that_comes_after_a_stuck_one_is_not_blamed() -> None:
    generator = np.random.default_rng(10)
    prices = np.round(138.42 + 0.01 * np.cumsum(generator.choice([-1, 0, 1], 6_000)), 2)
    prices[3_000:3_900] = prices[3_000]
    flags = flags_of(prices, gap_s=0.2)
    assert len(flags.at) <= 1
    assert (flags.score < HIGH).all()


def test_flags_that_follow_each_other_soon_are_one_anomaly() -> None:
    prices = np.round(138.42 + 0.01 * np.random.default_rng(6).integers(-3, 4, 600), 2)
    prices[[300, 315, 330]] = 141.0
    flags = flags_of(prices, gap_s=0.3)
    assert {300, 315, 330} <= set(flags.at.tolist())
    assert (np.asarray(flags.join_s) >= 15 * 0.3).all()


def test_the_price_after_a_silence_tells_of_it() -> None:
    prices = np.round(138.42 + 0.01 * np.random.default_rng(7).integers(-3, 4, 600), 2)
    trades = tape(prices)
    trades.event_ns[400:] += 360_000_000_000
    trades.price[400:] += 6.0
    surroundings = context()
    detector = OffMarketPrice(surroundings)
    detector.open(0, NVDA)
    surroundings.walk.open(0, NVDA)
    flags = detector.flag(trades.with_measures(surroundings.walk.advance(trades)))
    assert flags.at.tolist() == [400]
    assert ", after 6 minutes without a trade" in flags.reasons[0]


def wide_market() -> np.ndarray:
    """Return prices whose bid and ask are six cents apart, on a slow walk about 138.42."""
    generator = np.random.default_rng(12)
    level = np.cumsum(generator.choice([-0.02, 0.0, 0.02], 4_000, p=[0.02, 0.96, 0.02]))
    prices: np.ndarray = np.round(138.42 + level + generator.choice([-0.03, 0.03], 4_000), 2)
    return prices


def test_a_price_with_swapped_cents_is_more_suspicious_than_another_one_hardly_nearer() -> None:
    found = 0
    for at in range(2_000, 3_000, 20):
        prices = wide_market()
        tens, ones = divmod(round(100 * prices[at - 1]) % 100, 10)
        swapped = np.round(prices[at - 1] + 0.09 * (ones - tens), 2)
        if not 2 <= abs(ones - tens) <= 4:
            continue
        scores = []
        for price in (swapped, swapped - np.sign(ones - tens) * 0.01):
            prices[at] = np.round(price, 2)
            flags = flags_of(prices, gap_s=2.0)
            scores.append(dict(zip(flags.at.tolist(), flags.score.tolist(), strict=True)).get(at, 0.0))
        assert scores[0] >= scores[1]
        found += scores[0] > scores[1]
    assert found


MEDIUM = 5 / 9


def test_a_few_cents_in_a_calm_market_are_low_at_most_and_more_are_not() -> None:
    prices = np.round(138.42 + 0.01 * (np.random.default_rng(14).random(6_000) < 0.02), 2)
    for off, is_low in ((0.06, True), (0.20, False)):
        prices[4_000] = 138.42 + off
        flags = flags_of(prices, gap_s=0.05)
        assert flags.at.tolist() == [4_000]
        assert (flags.score[0] < MEDIUM) == is_low


def test_swapped_cents_are_named() -> None:
    prices = np.round(138.42 + 0.01 * np.random.default_rng(8).integers(0, 2, 4_000), 2)
    prices[2_999:3_001] = (138.42, 138.24)
    flags = flags_of(prices)
    assert flags.at.tolist() == [3_000]
    assert "of recent trades (digits of 138.42 swapped?); a distance" in flags.reasons[0]


def test_cents_are_told_as_cents() -> None:
    prices = np.round(38.42 + 0.01 * np.random.default_rng(8).integers(0, 2, 4_000), 2)
    prices[3_000] = 38.52
    flags = flags_of(prices)
    assert flags.at.tolist() == [3_000]
    assert "nine cents (0.23%) above the 38.42 to 38.43" in flags.reasons[0]
