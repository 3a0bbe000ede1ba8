import numpy as np
import pytest

from services.detector.detectors.activity.burst import BurstParameters
from services.detector.detectors.core.record import record_of, record_type
from services.detector.detectors.core.tail import (
    ALERT,
    JUST_LOW,
    evidence_of,
    learn,
    low_of,
    rarity_of,
    score_of,
    start_tail,
    value_at,
)
from services.detector.detectors.price.off_market_price import OffMarketPriceParameters
from services.detector.engine.record import Record


def record(parameters: OffMarketPriceParameters | BurstParameters) -> Record:
    return np.array(record_of(parameters), record_type(type(parameters))).view(np.recarray)[()]


def tail_of(p: Record) -> np.ndarray:
    tail = np.zeros(4)
    start_tail(tail, p)
    return tail


def test_rarity_and_value_are_inverse() -> None:
    p = record(OffMarketPriceParameters())
    tail = tail_of(p)
    for rarity in (3.0, 4.0, 6.5):
        assert rarity_of(tail, value_at(tail, rarity, p), p) == pytest.approx(rarity)


def test_tail_learns_the_frequencies_of_exponential_values() -> None:
    p = record(OffMarketPriceParameters(excess_scale_floor=1e-3))
    tail = tail_of(p)
    for value in np.random.default_rng(3).exponential(0.5, 200_000):
        learn(tail, value, 1e9, p)
    once_in_1000 = -0.5 * np.log(1e-3)
    assert rarity_of(tail, once_in_1000, p) == pytest.approx(3.0, abs=0.25)
    assert rarity_of(tail, 2 * once_in_1000, p) == pytest.approx(6.0, abs=0.6)


def test_what_alerts_does_not_stretch_the_tail() -> None:
    p = record(OffMarketPriceParameters())
    tail = tail_of(p)
    for _ in range(50):
        learn(tail, 1e9, value_at(tail, p.alert_rarity, p), p)
    assert tail[1] == OffMarketPriceParameters().excess_scale_prior
    assert tail[0] < 2 * OffMarketPriceParameters().threshold_prior


def test_evidence_is_the_alert_line_where_a_part_flags() -> None:
    p = record(BurstParameters())
    assert evidence_of(p.alert_rarity * 0.999, p) < ALERT <= evidence_of(p.alert_rarity, p)
    assert score_of(np.array([ALERT]))[0] == 0.5


def test_what_is_at_most_low_keeps_its_order_below_medium() -> None:
    scores = score_of(np.array([low_of(evidence) for evidence in (4.0, JUST_LOW, 5.0, 6.0, 9.0)]))
    assert (np.diff(scores) > 0).all()
    assert scores[1] == score_of(np.array([JUST_LOW]))[0]
    assert score_of(np.array([low_of(1e9)]))[0] < 5 / 9
