"""What alerts take around a market's open."""

import math

from benchmarks.feed_venue import cents_of
from benchmarks.scale.lags import Recovery
from benchmarks.scale.opening import (
    AFTER,
    BEFORE,
    CATCHING_UP,
    OPEN,
    alerts_table,
    delays_by_stretch,
    groups_table,
)
from benchmarks.scale.rush_sender import SYMBOLS


def test_an_alert_belongs_to_the_stretch_in_which_its_trade_came() -> None:
    times = [(5.0, 6.0), (10.0, 10.5), (20.0, 29.0), (31.0, 40.0), (50.0, 50.5)]
    assert delays_by_stretch(times, (8.0, 15.0, 30.0, 45.0)) == {
        BEFORE: [0.5],
        OPEN: [9.0],
        CATCHING_UP: [9.0],
        AFTER: [0.5],
    }


def test_only_stretches_with_alerts_have_a_row() -> None:
    rows = alerts_table({BEFORE: [0.1, 0.2, 0.3], AFTER: [0.5]}).rows
    assert [row[:3] for row in rows] == [(BEFORE, "3", "200"), (AFTER, "1", "500")]


def test_a_group_that_does_not_catch_up_says_so() -> None:
    recoveries = {"indexer": Recovery(100.0, 90_000.0, None, 250_000.0)}
    assert groups_table("", recoveries, 10.0).rows == (("indexer", "100", "90,000", "not in time", "25,000"),)


def test_every_symbol_has_wrong_prices_in_turn() -> None:
    wrong = [number for number in range(1_000) if abs(cents_of(number) / cents_of(1) - 1) > 0.05]
    assert len(wrong) == 1
    assert math.gcd(len(SYMBOLS), 1_000) == 1
