import datetime as dt
import gc
import json
from random import Random

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.anomaly import anomaly_json
from services.contracts.trade import decode_trade
from services.detector.engine import sessions
from services.detector.engine.batch import Batch
from services.detector.engine.engine import Engine
from services.detector.engine.state import OutOfOrder
from services.detector.profiles.profile import Profile, load_profile
from tests.samples import trade_json

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)
RULES = Profile.model_validate({"detectors": {"high_volume": {}, "rapid_price_change": {}}})
EVERYTHING = Profile.model_validate(
    {
        "detectors": {
            "auction_cross": {},
            "off_market_price": {"alert_rarity": 2.5},
            "unusual_size": {"alert_rarity": 2.0},
            "burst": {},
            "isolation_forest": {"refit_trades": 50, "window_trades": 100, "trees": 10, "alert_rarity": 2.0},
            "high_volume": {"threshold_shares": 900},
            "rapid_price_change": {"threshold_ratio": 0.02},
            "z_score": {"window_trades": 40, "threshold_sigmas": 3.0},
        }
    }
)


def tape(count: int, symbol: str = "NVDA", seed: int = 1, day: str = "2024-12-02") -> list[bytes]:
    generator = np.random.default_rng(seed)
    prices = (100 + np.cumsum(generator.normal(0, 0.3, count))).round(2)
    sizes = generator.integers(1, 1000, count)
    sides = generator.choice(["A", "B", "N"], count)
    values = []
    for n in range(count):
        value = trade_json(
            n,
            symbol=symbol,
            trade_id=f"{symbol}-{day}-{n}",
            price=float(prices[n]),
            size=int(sizes[n]),
            side=str(sides[n]),
        )
        values.append(value.replace(b"2024-12-02", day.encode()))
    return values


def detect(values: list[bytes], batch_trades: int = 10_000, profile: Profile = EVERYTHING) -> list[bytes]:
    engine = Engine(profile)
    found = []
    for start in range(0, len(values), batch_trades):
        batch = values[start : start + batch_trades]
        anomalies = engine.detect([decode_trade(value) for value in batch], batch.__getitem__)
        found += [anomaly_json(origin, anomaly, NOW) for _, anomaly, origin in anomalies]
    return found


def test_anomaly_has_the_contracts_fields() -> None:
    [value] = detect([trade_json(1, size=30_000)], profile=RULES)
    anomaly = orjson.loads(value)
    assert anomaly | orjson.loads(trade_json(1, size=30_000)) == anomaly
    assert anomaly["anomalies"] == ["High Volume"]
    assert 0.5 < anomaly["score"] < 1
    assert anomaly["severity"] == "high"
    assert anomaly["message"] == "30,000 shares in one trade, above the limit of 20,000."
    assert anomaly["detections"] == [
        {
            "detector": "high_volume",
            "label": "High Volume",
            "score": anomaly["score"],
            "value": 30_000.0,
            "expected": 0.0,
            "threshold": 20_000.0,
            "reason": "30,000 shares in one trade, above the limit of 20,000",
        }
    ]
    assert anomaly["contributions"] == {"size_shares": 1.0}
    assert anomaly["features"] == {"size_shares": 30_000.0}
    assert anomaly["session"] == "2024-12-02"
    assert anomaly["model"] == {"name": "tapewatch", "version": "0.1.0", "profile": RULES.hash}
    assert anomaly["detected_at"] == "2026-01-02T03:04:05.000678Z"
    json.loads(value.decode(), parse_constant=pytest.fail)


def test_several_detections_make_one_anomaly_led_by_the_highest_score() -> None:
    values = [trade_json(1), trade_json(2, price=150.0, size=2_000_000)]
    [value] = detect(values, profile=RULES)
    anomaly = orjson.loads(value)
    assert anomaly["anomalies"] == ["High Volume", "Rapid Price Change"]
    assert anomaly["score"] == max(detection["score"] for detection in anomaly["detections"])
    assert sum(anomaly["contributions"].values()) == pytest.approx(1)
    assert anomaly["message"].endswith("; also Rapid Price Change.")


def test_every_anomalys_numbers_are_numbers_and_its_shares_add_up() -> None:
    found = [orjson.loads(value) for value in detect(tape(600))]
    assert {label for anomaly in found for label in anomaly["anomalies"]} >= {
        "High Volume",
        "Z-Score",
        "Off-Market Price",
    }
    for anomaly in found:
        assert sum(anomaly["contributions"].values()) == pytest.approx(1)
        assert 0 <= anomaly["score"] <= 1
        numbers = [*anomaly["features"].values(), *anomaly["contributions"].values()]
        numbers += [
            one[key] for one in anomaly["detections"] for key in ("score", "value", "expected", "threshold")
        ]
        assert all(isinstance(number, float) for number in numbers)


def test_session_is_the_exchanges_day() -> None:
    late_evening = trade_json(1, size=30_000, **{"@timestamp": "2024-12-03T00:59:00.000000000Z"})
    assert orjson.loads(detect([late_evening], profile=RULES)[0])["session"] == "2024-12-02"


def test_each_session_starts_empty() -> None:
    first = trade_json(1, price=100.0)
    next_day = trade_json(2, price=200.0, **{"@timestamp": "2024-12-03T14:30:00.000000000Z"})
    assert detect([first, next_day], profile=RULES) == []


def test_an_endless_session_spans_days() -> None:
    first = trade_json(1, price=100.0)
    next_day = trade_json(2, price=200.0, **{"@timestamp": "2024-12-03T14:30:00.000000000Z"})
    [value] = detect([first, next_day], profile=RULES.model_copy(update={"sessions": "endless"}))
    assert orjson.loads(value)["session"] == "2024-12-03"


def test_auction_cross_has_severity_info_whatever_else_flags_it() -> None:
    profile = load_profile(None)
    profile = profile.model_copy(
        update={"detectors": profile.detectors.replaced(high_volume=RULES.detectors.get("high_volume"))}
    )
    usual = [trade_json(n, price=100.0) for n in range(30)]  # from 14:30:00, the open in New York
    cross = trade_json(31, size=500_000, price=100.0, side="N")
    [value] = detect([*usual, cross], profile=profile)
    anomaly = orjson.loads(value)
    assert anomaly["anomalies"] == ["Auction Cross", "High Volume"]
    assert anomaly["severity"] == "info"
    later = trade_json(301, size=500_000, price=100.0, side="N")
    [value] = detect([*usual, later], profile=load_profile(None))
    assert orjson.loads(value)["anomalies"][0] == "Unusual Size"


def test_symbols_parameters_apply_only_to_it() -> None:
    profile = RULES.model_copy(
        update={"symbols": {"TINY": {"high_volume": {"threshold_shares": 50}}, "MUTE": {"high_volume": None}}}
    )
    values = [
        trade_json(1),
        trade_json(1, symbol="TINY"),
        trade_json(1, symbol="MUTE", size=99_999),
        trade_json(2, size=99_999),
    ]
    symbols = [orjson.loads(value)["symbol"] for value in detect(values, profile=profile)]
    assert symbols == ["TINY", "NVDA"]


def test_of_equal_scores_the_first_detector_of_the_registry_leads() -> None:
    profile = Profile.model_validate(
        {
            "detectors": {
                "rapid_price_change": {"threshold_ratio": 0.25},
                "high_volume": {"threshold_shares": 200},
            }
        }
    )
    values = [trade_json(1, price=100.0), trade_json(2, price=150.0, size=400)]
    (anomaly,) = map(orjson.loads, detect(values, profile=profile))
    assert [found["score"] for found in anomaly["detections"]] == [0.75, 0.75]
    assert [found["detector"] for found in anomaly["detections"]] == ["high_volume", "rapid_price_change"]


def test_a_late_trade_says_how_late_it_is_and_a_repeat_is_not_judged() -> None:
    engine = Engine(RULES)
    values = [
        trade_json(1),
        trade_json(5),
        trade_json(6),
        trade_json(4, size=30_000),
        trade_json(5, size=30_000),
        trade_json(7, size=30_000),
    ]
    late, in_order = engine.detect([decode_trade(value) for value in values])
    assert (late.at, in_order.at) == (3, 5)
    assert late.anomaly.late_s is not None
    assert late.anomaly.late_s > 0
    assert " late." in late.anomaly.message
    assert in_order.anomaly.late_s is None
    assert engine.out_of_order == OutOfOrder(late=1, repeats=1)


def test_replay_finds_nothing_again() -> None:
    engine = Engine(EVERYTHING)
    trades = [decode_trade(value) for value in tape(300)]
    assert engine.detect(trades)
    assert engine.detect(trades) == []
    assert engine.out_of_order.unjudged == 300


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(1, 200), order=st.randoms(use_true_random=False))
def test_result_depends_only_on_each_symbols_order(cut: int, order: Random) -> None:
    tapes = {symbol: tape(150, symbol, seed) for seed, symbol in enumerate(("AAA", "BBB", "CCC"))}
    alone = sorted(value for values in tapes.values() for value in detect(values))
    turns = [symbol for symbol, values in tapes.items() for _ in values]
    order.shuffle(turns)
    queues = {symbol: iter(values) for symbol, values in tapes.items()}
    interleaved = [next(queues[symbol]) for symbol in turns]
    assert sorted(detect(interleaved, cut)) == alone
    assert alone


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 120), order=st.randoms(use_true_random=False))
def test_dropping_old_sessions_does_not_depend_on_batches(cut: int, order: Random) -> None:
    days = [f"2024-12-{day:02}" for day in range(2, 2 + 5)]
    turns = [day for day in days for _ in range(30)]
    order.shuffle(turns)
    queues = {day: iter(tape(30, "AAA", 3, day)) for day in days}
    values = [next(queues[day]) for day in turns]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "SESSIONS_KEPT", 3)
        assert detect(values, cut) == detect(values)


def batches() -> set[int]:
    return {id(one) for one in gc.get_objects() if isinstance(one, Batch)}


def test_a_batch_is_freed_as_soon_as_it_is_judged() -> None:
    """Without the collector's help, which comes late where few objects are made."""
    engine = Engine(load_profile("default"))
    values = [decode_trade(value) for value in tape(200)]
    engine.detect(values[:100])
    gc.collect()
    gc.disable()
    try:
        before = batches()
        engine.detect(values[100:])
        assert batches() <= before
    finally:
        gc.enable()
