import numpy as np
import pytest

from tests.unit.services.detector.detectors.patterns.tape import BUY, SELL, calm, flags_of, with_prints

AT = 2_000


@pytest.mark.parametrize("apart_s", [0.0, 0.4])
def test_pairs_from_alternating_sides_are_flagged(apart_s: float) -> None:
    trades = calm()
    starts = trades.event_ns[AT] + np.arange(30) * 2_000_000_000
    times = np.column_stack([starts, starts + int(apart_s * 1e9)]).ravel()
    paired, own = with_prints(trades, times, 101.37, 300.0, np.tile([BUY, SELL], 30))
    flags = flags_of("matched_pairs", paired)
    assert set(flags.at.tolist()) <= set(own.tolist())
    assert flags.at[0] <= own[25]
    assert flags.at[-1] == own[-1]
    assert flags.reasons[-1].startswith("60 prints of 300 at 101.37 from alternating sides within ")


def test_the_same_prints_from_one_side_and_a_calm_tape_are_not_flagged() -> None:
    trades = calm()
    assert not len(flags_of("matched_pairs", trades).at)
    times = trades.event_ns[AT] + np.arange(60) * 1_000_000_000
    same, _ = with_prints(trades, times, 101.37, 300.0, BUY)
    assert not len(flags_of("matched_pairs", same).at)


def test_pairs_that_follow_the_market_are_flagged_by_their_size() -> None:
    trades = calm()
    starts = trades.event_ns[AT] + np.arange(30) * 2_000_000_000
    times = np.column_stack([starts, starts + 200_000_000]).ravel()
    prices = np.repeat(101.0 + 0.01 * np.arange(30), 2)
    paired, own = with_prints(trades, times, prices, 7_001.0, np.tile([BUY, SELL], 30))
    flags = flags_of("matched_pairs", paired)
    assert flags.at.tolist() == own[19::2].tolist()
    assert flags.reasons[-1].startswith(
        "60 prints of 7,001 in pairs at one price each from alternating sides"
    )


def test_prints_of_one_size_that_find_no_partner_are_no_pairs() -> None:
    trades = calm()
    times = trades.event_ns[AT] + np.arange(80) * 500_000_000
    prices = 101.0 + 0.01 * np.arange(80)
    moving, _ = with_prints(trades, times, prices, 7_001.0, np.tile([BUY, SELL], 40))
    assert not len(flags_of("matched_pairs", moving).at)
    slow, _ = with_prints(
        trades,
        trades.event_ns[AT] + np.arange(80) * 2_000_000_000,
        np.repeat(prices[::2], 2),
        7_001.0,
        np.tile([BUY, SELL], 40),
    )
    assert not len(flags_of("matched_pairs", slow).at)
