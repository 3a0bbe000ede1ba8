"""A fast market: found where price and pace move together, and what is judged in it."""

import numpy as np
import pytest

from services.contracts.detectors import DETECTORS
from services.detector.detectors.activity.burst import Burst
from services.detector.detectors.activity.fast_market import FastMarket
from services.detector.detectors.base import Detector, Flags
from services.detector.detectors.core.tail import JUST_LOW, score_of
from services.detector.detectors.price.off_market_price import OffMarketPrice
from services.detector.engine.batch import SIDE_CODES, Batch
from tests.unit.services.detector.detectors.market import CLOSE_NS, NVDA, context, market

COUNT = 9_000
START, STOP = 6_000, 7_200
LOW = score_of(np.array([JUST_LOW]))[0]


def flags_of(kind: type[Detector], trades: Batch) -> Flags:
    surroundings = context()
    detector = kind(surroundings)
    surroundings.walk.open(0, NVDA)
    detector.open(0, NVDA)
    return detector.flag(trades.with_measures(surroundings.walk.advance(trades)))


def news(times: float = 10.0, move: float = 0.012, size: float | None = None) -> Batch:
    """Return a market in which trades come `times` as fast for a while, and the price goes up."""
    trades = market(COUNT)
    stretch = slice(START, STOP)
    gaps = np.diff(trades.event_ns, prepend=trades.event_ns[0])
    gaps[stretch] = (gaps[stretch] / times).astype(np.int64) + 1
    trades.event_ns[:] = trades.event_ns[0] + np.cumsum(gaps)
    path = np.zeros(COUNT)
    path[stretch] = np.linspace(0.0, move, STOP - START)
    path[STOP:] = move
    trades.price[:] = np.round(trades.price * (1.0 + path), 2)
    if size is not None:
        trades.size[stretch] = size
    return trades


def test_a_calm_market_is_not_fast() -> None:
    assert len(flags_of(FastMarket, market(COUNT)).at) == 0


def test_news_are_one_fast_market_that_is_just_low() -> None:
    flags = flags_of(FastMarket, news())
    assert len(flags.at) > 500
    assert START < flags.at[0] < START + 400
    assert flags.at[-1] < STOP + 100
    assert flags.score == pytest.approx(LOW)
    assert flags.is_running_total
    assert "times as fast as usual" in flags.reasons[len(flags.at) - 1]


@pytest.mark.parametrize(
    "trades",
    [
        news(times=1.0),
        news(move=0.0),
        news(times=4.0, size=2.0),
    ],
    ids=["a move at the usual pace", "a pace without a move", "a move by small prints"],
)
def test_half_of_it_is_no_fast_market(trades: Batch) -> None:
    assert len(flags_of(FastMarket, trades).at) == 0


def test_a_jump_is_no_fast_market_unless_it_is_large_and_stays() -> None:
    for move, is_fast in ((0.006, False), (0.03, True)):
        trades = news(move=0.0)
        trades.price[START + 100 :] = np.round(trades.price[START + 100 :] * (1.0 + move), 2)
        assert (len(flags_of(FastMarket, trades).at) > 0) == is_fast


def quiet_evening(levels: tuple[float, ...], share: float = 0.02) -> Flags:
    """Flag a slow market whose prices, from one on, lie at these shares of a jump, again and again."""
    trades = market(COUNT)
    beyond = trades.price[START:] * share * np.resize(levels, COUNT - START)
    trades.price[START:] = np.round(trades.price[START:] + beyond, 2)
    return flags_of(FastMarket, trades)


def test_prices_that_confirm_a_jump_make_it_a_fast_market_at_any_pace() -> None:
    flags = quiet_evening((1.0,))
    assert 0 < len(flags.at) < 5
    assert START + 12 <= flags.at[0] < START + 30
    assert flags.features["fast_high"][0] > 1.015 * flags.features["fast_low"][0]
    assert flags.span_s is not None
    assert flags.span_s[0] > 30.0
    assert "and trades stay there" in flags.reasons[0]


@pytest.mark.parametrize(
    ("levels", "share"),
    [((1.0, 0.0), 0.02), ((1.0,) + 40 * (0.0,), 0.02), ((1.0,), 0.005), ((1.0,), 0.3)],
    ids=["prices of two stocks", "single errors", "a small jump", "another scale"],
)
def test_other_jumps_are_confirmed_by_nothing(levels: tuple[float, ...], share: float) -> None:
    assert not len(quiet_evening(levels, share).at)


def test_one_price_again_and_again_confirms_nothing() -> None:
    trades = market(COUNT)
    trades.price[START : START + 100] = round(1.03 * float(trades.price[START]), 2)
    assert not len(flags_of(FastMarket, trades).at)


def test_an_error_of_a_per_cent_in_a_fast_market_is_more_than_low() -> None:
    trades = news()
    at = (START + STOP) // 2
    trades.price[at] = round(trades.price[at] * 1.01, 2)
    flags = flags_of(OffMarketPrice, trades)
    assert flags.score[flags.at.tolist().index(at)] > 5 / 9


def test_a_small_burst_is_at_most_low() -> None:
    trades = market(COUNT)
    burst = slice(START, START + 60)
    trades.event_ns[burst] = trades.event_ns[START - 1] + 1_000_000 + np.arange(60) * 400_000
    trades.price[burst] = trades.price[START - 1] + np.linspace(0.0, 0.045, 60).round(2)
    flags = flags_of(Burst, trades)
    score = flags.score[(flags.at >= START) & (flags.at < START + 60)]
    assert 0.5 < score.max() < 5 / 9


def test_many_times_the_trades_before_the_close_are_a_fast_market_whatever_the_price_does() -> None:
    trades = market(COUNT)
    trades.event_ns[:] = CLOSE_NS - 10 * 3_600_000_000_000 + np.arange(COUNT) * 4_000_000_000
    last = slice(COUNT - 3_000, COUNT)
    trades.event_ns[: COUNT - 3_000] = (
        CLOSE_NS - 600_000_000_000 - np.arange(COUNT - 3_000)[::-1] * 1_500_000_000
    )
    trades.event_ns[last] = CLOSE_NS - 600_000_000_000 + np.arange(3_000) * 60_000_000
    trades.side[:] = SIDE_CODES["B"]
    flags = flags_of(FastMarket, trades)
    assert len(flags.at) > 500
    assert flags.at[0] > COUNT - 3_000


def test_it_absorbs_what_comes_with_it_but_no_ramp() -> None:
    spec = DETECTORS["fast_market"]
    assert spec.explains
    assert "Burst" in spec.absorbs
    assert "Price Ramp" not in spec.absorbs
    assert spec.label in DETECTORS["price_ramp"].absorbs
