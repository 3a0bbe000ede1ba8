import re
from dataclasses import replace

import numpy as np
import pytest

from services.detector.detectors.activity.burst import Burst
from services.detector.detectors.base import Detector, Flags
from services.detector.detectors.multivariate.isolation_forest import IsolationForest
from services.detector.detectors.price.off_market_price import OffMarketPrice
from services.detector.detectors.scheduled.auction_cross import AuctionCross
from services.detector.detectors.scheduled.scheduled_burst import ScheduledBurst
from services.detector.detectors.size.unusual_size import UnusualSize
from services.detector.engine.batch import SIDE_CODES, Batch
from tests.unit.services.detector.detectors.market import CLOSE_NS, NVDA, OPEN_NS, context, market

KINDS = (OffMarketPrice, UnusualSize, Burst, IsolationForest, AuctionCross, ScheduledBurst)


def flags_of(kind: type[Detector], trades: Batch) -> Flags:
    surroundings = context()
    detector = kind(surroundings)
    surroundings.walk.open(0, NVDA)
    detector.open(0, NVDA)
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


def test_a_burst_is_flagged_while_it_lasts_and_its_flags_belong_together() -> None:
    trades = market()
    start = trades.event_ns[1999] + 1_000_000
    trades.event_ns[2000:2080] = start + np.arange(80) * 500_000
    trades.event_ns[2080:] += 10_000_000_000
    trades.price[2000:2080] = np.round(trades.price[1999] + np.arange(80) * 0.005, 2)
    flags = flags_of(Burst, trades)
    own = [at for at in flags.at.tolist() if 2000 <= at < 2090]
    assert len(own) > 20
    assert own == list(range(own[0], own[-1] + 1))
    row = row_of(flags, own[0])
    assert isinstance(flags.join_s, np.ndarray)
    assert flags.join_s[row] == 1.0
    assert flags.prints is not None
    assert own[0] - 2000 < flags.prints[row] <= own[0] - 2000 + 3
    assert re.match(r"\d+ trades in \d+ ms moved the price by \+0\.\d+ \(\+0\.", flags.reasons[row])
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


@pytest.mark.parametrize("auction_ns", [OPEN_NS, CLOSE_NS])
@pytest.mark.parametrize("factor", [0.1, 0.95, 1.02, 10.0])
def test_a_cross_away_from_the_market_is_critical_whatever_its_time(auction_ns: int, factor: float) -> None:
    trades = market()
    moved = replace(trades, event_ns=trades.event_ns + auction_ns + 1_000_000 - trades.event_ns[2000])
    moved.size[2000] = 1_000_000
    moved.side[2000] = SIDE_CODES["N"]
    moved.price[2000] = round(moved.price[2000] * factor, 2)
    assert len(flags_of(AuctionCross, moved).at) == 0
    assert 2000 not in flags_of(UnusualSize, moved).at
    flags = flags_of(OffMarketPrice, moved)
    row = row_of(flags, 2000)
    assert flags.score[row] >= 0.75
    assert flags.reasons[row].startswith("auction cross of 1,000,000 shares at ")
    assert ("slipped decimal point" in flags.reasons[row]) == (factor in (0.1, 10.0))


def test_a_reopening_after_a_halt_is_low_at_most() -> None:
    trades = market()
    trades.event_ns[2000:] += 300_000_000_000
    trades.price[2000:] = np.round(trades.price[2000:] * 1.03, 2)
    trades.size[2000] = 50_000
    trades.side[2000] = SIDE_CODES["N"]
    price, size = flags_of(OffMarketPrice, trades), flags_of(UnusualSize, trades)
    assert (price.score[(price.at >= 2000) & (price.at < 2100)] < 5 / 9).all()
    assert (size.score[(size.at >= 2000) & (size.at < 2100)] < 5 / 9).all()
    assert np.isin(price.at, [2000, *range(2000)]).all()


def test_a_block_is_named_whatever_surrounds_it_and_the_largest_is_medium() -> None:
    trades = market()
    trades.size[1000] = 150_000  # worth 15 million
    trades.size[1990:2000] = 4_000  # explain a size
    trades.size[2000] = 60_000
    flags = flags_of(UnusualSize, trades)
    first, second = row_of(flags, 1000), row_of(flags, 2000)
    assert flags.score[first] >= 5 / 9
    assert "worth 15 million" in flags.reasons[first]
    assert "the largest of the session so far" in flags.reasons[first]
    assert "worth" in flags.reasons[second]
    assert "largest" not in flags.reasons[second]


def test_a_flood_of_odd_lots_makes_no_later_size_unusual() -> None:
    trades = market(9_000)
    flood = slice(5_000, 8_000)
    calm = trades.event_ns[4_999]
    trades.event_ns[flood] = calm + 1_000_000 * np.arange(1, 3_001)
    trades.event_ns[8_000:] += trades.event_ns[7_999] + 1_000_000_000 - trades.event_ns[8_000]
    trades.size[flood] = 1
    trades.price[flood] = trades.price[4_999]
    before = len(flags_of(UnusualSize, market(9_000)).at)
    after = flags_of(UnusualSize, trades).at
    assert (after >= 8_000).sum() <= 1 + before


@pytest.mark.parametrize("fills", [1, 2, 8, 16])
@pytest.mark.parametrize("gap_s", [1.0, 10.0])
def test_a_burst_is_flagged_whether_its_fills_share_a_time_and_however_few_trades_there_are(
    fills: int, gap_s: float
) -> None:
    trades = market()
    trades.event_ns[:] = OPEN_NS - 3_600_000_000_000 + (np.arange(3_000) * gap_s * 1e9).astype(np.int64)
    start = trades.event_ns[1999] + 1_000_000
    trades.event_ns[2000:2064] = start + np.arange(64) // fills * fills * 400_000
    trades.event_ns[2064:] = start + 30_000_000_000 + (np.arange(936) * gap_s * 1e9).astype(np.int64)
    trades.price[2000:2064] = np.round(trades.price[1999] + np.arange(64) * 0.005, 2)
    flagged = flags_of(Burst, trades).at
    assert np.isin(2063, flagged)
    assert ((flagged < 2000) | (flagged >= 2064)).sum() == 0


def test_a_restless_morning_hides_no_burst() -> None:
    trades = market(9_000)
    flurry = np.arange(9_000) % 30
    is_first = flurry == 0
    gap_ns = np.where(is_first, 20_000_000_000, 1_000_000)
    trades.event_ns[:] = OPEN_NS - 5 * 3_600_000_000_000 + np.cumsum(gap_ns) // 5
    trades.price[:] = 100.0 + 0.01 * (flurry // 10)  # sweeps of two cents
    trades.price[8_490:8_520] = 100.0 + 0.01 * np.arange(30)
    flagged = flags_of(Burst, trades).at
    assert np.isin(8_519, flagged)
    assert ((flagged < 8_490) | (flagged >= 8_530)).sum() == 0


def test_a_burst_of_two_coarse_ticks_is_flagged_by_its_many_times() -> None:
    trades = market()
    trades.price[:] = np.round(trades.price - 96.0, 2)
    trades.event_ns[2000:2080] = trades.event_ns[1999] + 1_000_000 + np.arange(80) * 400_000
    trades.event_ns[2080:] += 1_000_000_000
    trades.price[2000:2080] = np.round(trades.price[1999] + 0.01 * (np.arange(80) // 30), 2)
    flagged = flags_of(Burst, trades).at
    assert np.isin(2_079, flagged)
    assert ((flagged < 2000) | (flagged >= 2085)).sum() == 0


@pytest.mark.parametrize("prints", [5, 30])
@pytest.mark.parametrize("gap_s", [0.05, 1.0, 10.0])
def test_a_sweep_of_few_ticks_at_one_time_is_no_burst(prints: int, gap_s: float) -> None:
    trades = market()
    trades.event_ns[:] = OPEN_NS - 3_600_000_000_000 + (np.arange(3_000) * gap_s * 1e9).astype(np.int64)
    trades.event_ns[2000 : 2000 + prints] = trades.event_ns[2000]
    trades.price[2000 : 2000 + prints] = np.round(
        trades.price[1999] + 0.01 * np.linspace(0, 3, prints).astype(int), 2
    )
    assert len(flags_of(Burst, trades).at) == 0


def test_a_level_that_changes_at_once_is_no_burst() -> None:
    trades = market()
    trades.event_ns[2000:2060] = trades.event_ns[1999] + 1_000_000 + np.arange(60) * 500_000
    trades.event_ns[2060:] += 60_000_000
    trades.price[2010:] = np.round(trades.price[2010:] / 10, 3)
    assert not np.isin(flags_of(Burst, trades).at, np.arange(2000, 2060)).any()


def burst_at(trades: Batch, start_ns: int) -> Batch:
    """Return the trades moved in time so that the 2,000th begins a burst at a time."""
    moved = replace(trades, event_ns=trades.event_ns + start_ns - trades.event_ns[2000])
    moved.event_ns[2000:2080] = start_ns + np.arange(80) * 500_000
    moved.event_ns[2080:] += 1_000_000_000
    moved.price[2000:2080] = np.round(moved.price[1999] + np.arange(80) * 0.0025, 2)
    return moved


@pytest.mark.parametrize("before_close_s", [600, 590, 300, 10, 0])
def test_a_burst_when_imbalances_are_published_is_named_as_scheduled(before_close_s: int) -> None:
    trades = burst_at(market(), CLOSE_NS - before_close_s * 1_000_000_000 + 20_000_000)
    named = flags_of(ScheduledBurst, trades)
    assert len(named.at)
    assert (named.score == 0.0).all()
    assert not np.isin(named.at, flags_of(Burst, trades).at).any()


def test_a_wrong_price_in_a_scheduled_burst_stays_an_alert() -> None:
    trades = burst_at(market(), CLOSE_NS - 600 * 1_000_000_000 + 20_000_000)
    named = flags_of(ScheduledBurst, trades).at
    trades.price[named[3]] *= 1.05
    assert named[3] in flags_of(OffMarketPrice, trades).at
    assert named[3] not in flags_of(ScheduledBurst, trades).at


@pytest.mark.parametrize("after_open_s", [1, 9])
def test_a_burst_in_the_first_seconds_after_an_auction_is_named_as_scheduled(after_open_s: int) -> None:
    trades = burst_at(market(), OPEN_NS + after_open_s * 1_000_000_000)
    assert len(flags_of(ScheduledBurst, trades).at)
    assert not np.isin(np.arange(2_000, 2_080), flags_of(Burst, trades).at).any()


@pytest.mark.parametrize("before_close_s", [601, 595, 304, 3_600])
def test_a_burst_at_any_other_time_is_one(before_close_s: int) -> None:
    trades = burst_at(market(), CLOSE_NS - before_close_s * 1_000_000_000 + 20_000_000)
    assert len(flags_of(ScheduledBurst, trades).at) == 0
    assert np.isin(np.arange(2_070, 2_080), flags_of(Burst, trades).at).all()


@pytest.mark.parametrize("kind", KINDS)
def test_asking_a_detector_again_gives_the_same_and_changes_nothing(kind: type[Detector]) -> None:
    surroundings = context()
    detector = kind(surroundings)
    surroundings.walk.open(0, NVDA)
    detector.open(0, NVDA)
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


@pytest.mark.parametrize(("size", "is_medium"), [(15_000, False), (60_000, True)])
def test_the_largest_block_is_medium_only_far_beyond_the_mean(size: int, is_medium: bool) -> None:
    trades = market()
    trades.size[1000] = size
    flags = flags_of(UnusualSize, trades)
    score = flags.score[row_of(flags, 1000)]
    assert (score >= 5 / 9) == is_medium


@pytest.mark.parametrize(("place", "is_burst"), [(100, False), (2_900, True)])
def test_a_session_that_has_few_trades_yet_needs_a_rarer_burst(place: int, is_burst: bool) -> None:
    trades = market()
    trades.event_ns[:] = OPEN_NS - 3_600_000_000_000 + np.arange(3_000) * 1_000_000_000
    burst = slice(place, place + 20)
    trades.event_ns[burst] = trades.event_ns[place] + np.arange(20) * 500_000
    trades.price[burst] = np.round(trades.price[place - 1] + np.arange(20) * 0.006, 2)
    assert np.isin(np.arange(place, place + 20), flags_of(Burst, trades).at).any() == is_burst


@pytest.mark.parametrize(("cents", "is_burst"), [(3, False), (8, True)])
def test_a_burst_of_less_than_5_bp_is_hardly_one_however_calm_the_market(cents: int, is_burst: bool) -> None:
    trades = market(6_000)
    trades.event_ns[5_800:5_900] = trades.event_ns[5_799] + 1_000_000 + np.arange(100) * 250_000
    trades.price[5_800:5_900] = np.round(trades.price[5_799] + 0.01 * np.linspace(0, cents, 100).round(), 2)
    assert np.isin(np.arange(5_800, 5_900), flags_of(Burst, trades).at).any() == is_burst


def test_sweeps_that_a_young_session_does_not_flag_are_learnt_as_usual() -> None:
    trades = market(6_000)
    place = np.arange(6_000) % 100
    trades.event_ns[:] = OPEN_NS + np.cumsum(np.where((place > 0) & (place < 12), 500_000, 1_000_000_000))
    trades.price[:] = np.round(100.0 + np.where(place < 12, 0.015 * place, 0.01 * (place % 2)), 2)
    assert len(flags_of(Burst, trades).at) == 0


@pytest.mark.parametrize(("hours_after_open", "is_low"), [(2.0, False), (-2.0, True)])
def test_a_small_distance_in_extended_hours_is_low_at_most(hours_after_open: float, is_low: bool) -> None:
    trades = market()
    shift_ns = int(hours_after_open * 3_600e9)
    moved = replace(trades, event_ns=trades.event_ns - trades.event_ns[2_000] + OPEN_NS + shift_ns)
    moved.price[:] = 100.0 + 0.01 * (np.arange(3_000) % 3 == 0)
    moved.price[2_000] = 100.08  # 7 bp
    flags = flags_of(OffMarketPrice, moved)
    score = flags.score[row_of(flags, 2_000)]
    assert (score < 5 / 9) == is_low
