from dataclasses import replace

import numpy as np
import pytest

from services.detector.detectors.activity.burst import Burst
from services.detector.detectors.base import Detector, Flags
from services.detector.detectors.multivariate.isolation_forest import IsolationForest
from services.detector.detectors.price.off_market_price import OffMarketPrice
from services.detector.detectors.scheduled.auction_cross import AuctionCross
from services.detector.detectors.size.unusual_size import UnusualSize
from services.detector.engine.batch import SIDE_CODES, Batch
from tests.unit.services.detector.detectors.market import CLOSE_NS, NVDA, OPEN_NS, context, market

KINDS = (OffMarketPrice, UnusualSize, Burst, IsolationForest, AuctionCross)


def flags_of(kind: type[Detector], trades: Batch) -> Flags:
    surroundings = context()
    detector = kind(surroundings)
    surroundings.walk.open(0, NVDA)
    flags = detector.flag(trades.with_measures(surroundings.walk.advance(trades)))
    assert len(flags.reasons) == len(flags.at) == len(flags.score)
    if len(flags.at):
        assert sum(flags.contributions.values()) == pytest.approx(np.ones(len(flags.at)))
    return flags


def row_of(flags: Flags, at: int) -> int:
    assert at in flags.at.tolist()
    return list(flags.at).index(at)


def top_contribution(flags: Flags, row: int) -> str:
    return max(flags.contributions, key=lambda name: flags.contributions[name][row])


@pytest.mark.parametrize("kind", KINDS)
def test_calm_market_raises_hardly_an_alert(kind: type[Detector]) -> None:
    assert len(flags_of(kind, market()).at) <= 3


@pytest.mark.parametrize("ratio", [0.005, -0.005, 0.02, -0.08])
def test_off_market_print_is_flagged_and_the_return_to_the_market_is_not(ratio: float) -> None:
    trades = market()
    price = trades.price[2000]
    trades.price[2000] = round(price * (1 + ratio), 2)
    flags = flags_of(OffMarketPrice, trades)
    row = row_of(flags, 2000)
    assert 2001 not in flags.at
    assert abs(flags.expected[row] - price) < 0.1
    assert (flags.value[row] - flags.threshold[row]) * ratio > 0
    assert flags.score[row] > 0.5
    assert top_contribution(flags, row) == "price_distance"
    assert ("above" if ratio > 0 else "below") in flags.reasons[row]


def test_fat_finger_is_flagged_with_the_size_that_would_just_flag() -> None:
    trades = market()
    trades.size[2000] = 6_000
    flags = flags_of(UnusualSize, trades)
    row = row_of(flags, 2000)
    assert flags.value[row] == 6_000
    assert 50 < flags.expected[row] < 200
    assert flags.expected[row] < flags.threshold[row] < 6_000
    assert top_contribution(flags, row) == "size_surprise"
    trades.size[2000] = int(flags.threshold[row] * 0.97)
    assert 2000 not in flags_of(UnusualSize, trades).at
    trades.size[2000] = int(flags.threshold[row] * 1.03) + 1
    assert 2000 in flags_of(UnusualSize, trades).at


def test_sizes_with_decimals_are_compared_with_each_other() -> None:
    trades = market()
    trades.size[:] = np.round(trades.size / 20_000, 4)
    trades.size[2000] = 0.3125
    flags = flags_of(UnusualSize, trades)
    row = row_of(flags, 2000)
    assert 0.002 < flags.expected[row] < 0.01
    assert flags.reasons[row].startswith("size 0.3125 is ")
    assert " times the mean of 0.00" in flags.reasons[row]
    assert len(flags.at) < 10


def test_burst_is_flagged_once() -> None:
    trades = market()
    start = trades.event_ns[1999] + 1_000_000
    trades.event_ns[2000:2080] = start + np.arange(80) * 500_000
    trades.event_ns[2080:] += 10_000_000_000
    trades.price[2000:2080] = np.round(trades.price[1999] + np.arange(80) * 0.005, 2)
    flags = flags_of(Burst, trades)
    episode = [at for at in flags.at.tolist() if 2000 <= at < 2090]
    assert 1 <= len(episode) <= 4
    row = row_of(flags, episode[0])
    assert "distinct times" in flags.reasons[row]
    assert top_contribution(flags, row) == "burst_intensity"


@pytest.mark.parametrize("auction_ns", [OPEN_NS, CLOSE_NS])
def test_auction_cross_is_named_and_no_size_alert(auction_ns: int) -> None:
    trades = market()
    shift = auction_ns + 1_000_000 - trades.event_ns[2000]
    moved = replace(trades, event_ns=trades.event_ns + shift)
    moved.size[2000] = 1_000_000
    moved.side[2000] = SIDE_CODES["N"]
    crosses = flags_of(AuctionCross, moved)
    assert crosses.at.tolist() == [2000]
    assert crosses.score.tolist() == [0.0]
    assert 2000 not in flags_of(UnusualSize, moved).at
    moved.side[2000] = SIDE_CODES["B"]
    assert len(flags_of(AuctionCross, moved).at) == 0
    assert 2000 in flags_of(UnusualSize, moved).at


@pytest.mark.parametrize("kind", KINDS)
def test_asking_a_detector_again_gives_the_same_and_changes_nothing(kind: type[Detector]) -> None:
    surroundings = context()
    detector = kind(surroundings)
    surroundings.walk.open(0, NVDA)
    trades = market(600)
    trades.price[500] *= 1.02
    trades.size[550] = 50_000
    measured = trades.with_measures(surroundings.walk.advance(trades))
    known = surroundings.walk.save(0)
    assert repr(detector.flag(measured)) == repr(detector.flag(measured))
    assert surroundings.walk.save(0) == known


def test_trades_that_were_not_measured_are_rejected() -> None:
    with pytest.raises(ValueError, match="no measures"):
        OffMarketPrice(context()).flag(market(10))
