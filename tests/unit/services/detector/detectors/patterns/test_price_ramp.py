from dataclasses import replace

import numpy as np
import pytest

from services.detector.engine.batch import Batch
from tests.unit.services.detector.detectors.patterns.tape import calm, flags_of

AT, LENGTH = 2_400, 360


def ramped(ratio: float) -> Batch:
    trades = calm()
    price = trades.price.copy()
    price[AT : AT + LENGTH] *= 1 + ratio * np.arange(LENGTH) / LENGTH
    return replace(trades, price=price.round(2))


@pytest.mark.parametrize(("ratio", "way"), [(0.015, "up"), (-0.015, "down")])
def test_a_ramp_is_flagged_while_it_runs_and_not_after_its_collapse(ratio: float, way: str) -> None:
    flags = flags_of("price_ramp", ramped(ratio))
    assert AT < flags.at[0] < AT + LENGTH
    assert flags.at[-1] <= AT + LENGTH
    assert flags.reasons[0].startswith(f"price ramp: {way} by ")


def test_a_calm_tape_and_a_jump_are_no_ramp() -> None:
    trades = calm()
    assert not len(flags_of("price_ramp", trades).at)
    price = trades.price.copy()
    price[AT:] += 1.5
    assert not len(flags_of("price_ramp", replace(trades, price=price)).at)


def test_a_move_within_a_third_of_the_time_is_news_and_no_ramp() -> None:
    for minutes, is_ramp in ((6, True), (0.6, False)):
        trades = calm()
        done = np.clip((trades.event_ns - trades.event_ns[AT]) / (minutes * 60e9), 0, 1)
        moved = replace(trades, price=(trades.price * (1 + 0.015 * done)).round(2))
        assert bool(len(flags_of("price_ramp", moved).at)) == is_ramp


@pytest.mark.parametrize(("jump", "is_ramp"), [(0.03, False), (0.0, True), (0.005, True)])
def test_a_move_back_to_the_price_before_a_jump_is_no_ramp(jump: float, is_ramp: bool) -> None:
    trades = calm()
    since_s = (trades.event_ns - trades.event_ns[AT]) / 1e9
    left = np.where(since_s < 0, 0.0, jump - 0.02 * np.clip(since_s / 400, 0, 1))
    moved = replace(trades, price=(trades.price * (1 + left)).round(2))
    assert bool(len(flags_of("price_ramp", moved).at)) == is_ramp


def test_a_ramp_after_bad_prints_that_were_taken_back_at_once_is_one() -> None:
    trades = ramped(0.015)
    price = trades.price.copy()
    price[AT - 60 : AT - 40] *= 1.05
    assert len(flags_of("price_ramp", replace(trades, price=price.round(2))).at)
