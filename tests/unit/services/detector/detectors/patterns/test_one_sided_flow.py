from dataclasses import replace

import numpy as np
import pytest

from tests.unit.services.detector.detectors.patterns.tape import BUY, SELL, calm, flags_of, with_prints

AT = 2_000


@pytest.mark.parametrize(("side", "word"), [(BUY, "buyers"), (SELL, "sellers")])
def test_minutes_of_one_side_are_flagged_and_never_more_than_low(side: int, word: str) -> None:
    trades = calm()
    sides = trades.side.copy()
    sides[AT : AT + 300] = side
    flags = flags_of("one_sided_flow", replace(trades, side=sides))
    assert AT < flags.at[0] < AT + 300
    assert flags.score.max() < 5 / 9
    assert word in flags.reasons[0]


def test_two_sides_and_one_large_order_are_not_flagged() -> None:
    trades = calm()
    assert not len(flags_of("one_sided_flow", trades).at)
    swept, _ = with_prints(trades, trades.event_ns[AT] + np.arange(500), 100.0, 10.0, BUY)
    assert not len(flags_of("one_sided_flow", swept).at)


def test_half_a_minute_of_one_side_is_not_flagged_however_many_prints_it_has() -> None:
    trades = calm()
    times = trades.event_ns[AT] + np.arange(300) * 100_000_000
    busy, _ = with_prints(trades, times, 100.0, 10.0, BUY)
    assert not len(flags_of("one_sided_flow", busy).at)
