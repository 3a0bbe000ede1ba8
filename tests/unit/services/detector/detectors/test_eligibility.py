"""What detectors do with trades whose price or size may not be used, and with bars."""

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from services.contracts.trade import decode_trade
from services.detector.detectors.price.rapid_price_change import RapidPriceChange, RapidPriceChangeParameters
from services.detector.engine.batch import (
    ANCHOR_ELIGIBLE,
    BAR,
    FULLY_ELIGIBLE,
    PRICE_ELIGIBLE,
    VOLUME_ELIGIBLE,
    Batch,
)
from services.detector.engine.columns import to_columns
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Profile
from tests.samples import trade_json
from tests.unit.services.detector.batches import SESSION, batch, context_of
from tests.unit.services.detector.detectors.market import market

AT = 1_500


def judged(profile: dict[str, Any], trades: Batch) -> dict[int, dict[str, float]]:
    """Return each flagged trade's detectors with their scores; all trades are of one session."""
    lines = [
        {
            "@timestamp": f"{np.datetime64(int(trades.event_ns[at]), 'ns')}Z",
            "trade_id": str(at),
            "symbol": "NVDA",
            "price": float(trades.price[at]),
            "size": int(trades.size[at]),
            "side": {65: "A", 66: "B", 78: "N"}[int(trades.side[at])],
            "price_eligible": bool(trades.eligible[at] & PRICE_ELIGIBLE),
            "anchor_eligible": bool(trades.eligible[at] & ANCHOR_ELIGIBLE),
            "volume_eligible": bool(trades.eligible[at] & VOLUME_ELIGIBLE),
            "kind": "bar" if trades.eligible[at] & BAR else "trade",
        }
        for at in range(len(trades))
    ]
    engine = Engine(Profile.model_validate({"detectors": profile}))
    found = engine.detect([decode_trade(orjson.dumps(line)) for line in lines])
    return {at: {one.detector: one.score for one in anomaly.detections} for at, anomaly, _ in found}


def with_print(price_ratio: float = 1.0, size: float = 100.0, eligible: int = FULLY_ELIGIBLE) -> Batch:
    trades = market()
    trades.price[AT] = round(trades.price[AT] * price_ratio, 2)
    trades.size[AT] = size
    trades.eligible[AT] = eligible
    return trades


def test_fields_of_a_trade_are_what_detectors_see() -> None:
    trades = [
        decode_trade(trade_json(1)),
        decode_trade(trade_json(2, price_eligible=False)),
        decode_trade(trade_json(3, anchor_eligible=False, volume_eligible=False)),
        decode_trade(trade_json(4, kind="bar")),
    ]
    assert to_columns(trades, "UTC").eligible.tolist() == [7, 6, 1, 15]


@pytest.mark.parametrize("ratio", [1.2, 0.8])
def test_price_that_is_not_eligible_is_neither_judged_nor_learnt(ratio: float) -> None:
    profile: dict[str, Any] = {"off_market_price": {}, "burst": {}}
    assert AT in judged(profile, with_print(ratio))
    without = market()
    kept = np.arange(len(without)) != AT
    expected = {
        at + (at >= AT): found for at, found in judged(profile, without[kept]).items()
    }  # as if it had not been there
    assert judged(profile, with_print(ratio, eligible=VOLUME_ELIGIBLE)) == expected


def test_size_beside_a_price_that_is_not_eligible_is_judged() -> None:
    found = judged({"unusual_size": {}, "off_market_price": {}}, with_print(1.2, 30_000, VOLUME_ELIGIBLE))
    assert found[AT].keys() == {"unusual_size"}


@pytest.mark.parametrize("name", ["unusual_size", "high_volume", "z_score", "level_z_score"])
def test_size_that_is_not_eligible_is_neither_judged_nor_learnt(name: str) -> None:
    eligible = PRICE_ELIGIBLE | ANCHOR_ELIGIBLE
    assert AT in judged({name: {}}, with_print(size=3_000_000))
    assert judged({name: {}}, with_print(size=3_000_000, eligible=eligible)) == judged(
        {name: {}}, with_print(size=100, eligible=eligible)
    )


def test_whole_session_without_anchors_is_judged_all_the_same() -> None:
    trades = with_print(1.2)
    trades.eligible[:] = PRICE_ELIGIBLE | VOLUME_ELIGIBLE
    assert judged({"off_market_price": {}}, trades) == judged({"off_market_price": {}}, with_print(1.2))


def test_price_change_is_measured_from_the_last_anchor() -> None:
    trades = batch(price=[100.0, 110.0, 100.5, 120.0])
    trades = replace(trades, eligible=np.array([7, PRICE_ELIGIBLE | VOLUME_ELIGIBLE, 7, VOLUME_ELIGIBLE]))
    detector = RapidPriceChange(context_of("rapid_price_change", RapidPriceChangeParameters()))
    detector.open(0, SESSION)
    flags = detector.flag(trades)
    assert flags.at.tolist() == [1]
    assert flags.value == pytest.approx([0.1])


def test_bar_is_judged_by_rules_and_not_by_calibrated_detectors() -> None:
    profile: dict[str, Any] = {"off_market_price": {}, "unusual_size": {}, "high_volume": {}}
    found = judged(profile, with_print(1.2, 3_000_000, FULLY_ELIGIBLE | BAR))
    assert found[AT].keys() == {"high_volume"}
