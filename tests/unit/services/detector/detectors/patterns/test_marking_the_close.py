import numpy as np
import pytest

from tests.unit.services.detector.detectors.market import CLOSE_NS
from tests.unit.services.detector.detectors.patterns.tape import BUY, SELL, calm, flags_of, with_prints


@pytest.mark.parametrize(("ratio", "side"), [(0.006, BUY), (-0.006, SELL)])
def test_aggressive_prints_that_move_the_last_seconds_are_flagged(ratio: float, side: int) -> None:
    trades = calm(to_close_s=1.0)
    times = CLOSE_NS - 20_000_000_000 + np.arange(60) * 300_000_000
    price = (trades.price[-50] * (1 + ratio * np.arange(60) / 60)).round(2)
    marked, own = with_prints(trades, times, price, 500.0, side)
    flags = flags_of("marking_the_close", marked)
    assert set(flags.at.tolist()) <= set(own.tolist())
    assert flags.at[-1] == own[-1]
    assert "before the closing auction" in flags.reasons[-1]
    passive, _ = with_prints(trades, times, price, 500.0, SELL if side == BUY else BUY)
    assert not len(flags_of("marking_the_close", passive).at)


def test_the_same_at_another_time_and_a_calm_close_are_not_flagged() -> None:
    trades = calm(to_close_s=1.0)
    assert not len(flags_of("marking_the_close", trades).at)
    times = CLOSE_NS - 200_000_000_000 + np.arange(60) * 300_000_000
    price = (trades.price[-250] * (1 + 0.006 * np.arange(60) / 60)).round(2)
    early, _ = with_prints(trades, times, price, 500.0)
    assert not len(flags_of("marking_the_close", early).at)
