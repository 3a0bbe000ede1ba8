import datetime as dt
import json

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.trade import decode_trade
from services.detector.engine import Engine, anomaly_json
from services.detector.profile import Profile
from tests.samples import trade_json

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)
SMALL = Profile.model_validate(
    {
        "detectors": {
            "high_volume": {"threshold_shares": 900},
            "isolation_forest": {"refit_trades": 50, "window_trades": 100, "trees": 10, "contamination": 0.1},
        }
    }
)


def tape(count: int, symbol: str = "NVDA", seed: int = 1) -> list[bytes]:
    generator = np.random.default_rng(seed)
    prices = 100 + np.cumsum(generator.normal(0, 1, count)).round(2)
    sizes = generator.integers(1, 1000, count)
    return [
        trade_json(n, symbol=symbol, trade_id=f"{symbol}-{n}", price=float(prices[n]), size=int(sizes[n]))
        for n in range(count)
    ]


def detect(values: list[bytes], batch_trades: int = 10_000, profile: Profile = SMALL) -> list[bytes]:
    engine = Engine(profile)
    found = []
    for start in range(0, len(values), batch_trades):
        batch = values[start : start + batch_trades]
        anomalies = engine.detect([decode_trade(value) for value in batch])
        found += [anomaly_json(batch[anomaly.at], anomaly, NOW) for anomaly in anomalies]
    return found


def test_anomaly_has_the_contracts_fields() -> None:
    [value] = detect([trade_json(1, size=30_000)], profile=Profile())
    anomaly = orjson.loads(value)
    assert anomaly | orjson.loads(trade_json(1, size=30_000)) == anomaly
    assert anomaly["anomalies"] == ["High Volume"]
    assert 0.5 < anomaly["score"] < 1
    assert anomaly["severity"] == "medium"
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
    assert anomaly["model"] == {"name": "tapewatch", "version": "0.1.0", "profile": Profile().hash}
    assert anomaly["detected_at"] == "2026-01-02T03:04:05.000678Z"
    json.loads(value.decode(), parse_constant=pytest.fail)


def test_several_detections_make_one_anomaly_led_by_the_highest_score() -> None:
    values = [trade_json(1), trade_json(2, price=150.0, size=2_000_000)]
    [value] = detect(values, profile=Profile())
    anomaly = orjson.loads(value)
    assert anomaly["anomalies"] == ["High Volume", "Rapid Price Change"]
    assert anomaly["score"] == max(detection["score"] for detection in anomaly["detections"])
    assert sum(anomaly["contributions"].values()) == pytest.approx(1)
    assert anomaly["message"].endswith("; also Rapid Price Change.")


def test_session_is_the_exchanges_day() -> None:
    late_evening = trade_json(1, size=30_000, **{"@timestamp": "2024-12-03T00:59:00.000000000Z"})
    assert orjson.loads(detect([late_evening])[0])["session"] == "2024-12-02"


def test_each_session_starts_anew() -> None:
    first = trade_json(1, price=100.0)
    next_day = trade_json(2, price=200.0, **{"@timestamp": "2024-12-03T14:30:00.000000000Z"})
    assert detect([first, next_day], profile=Profile()) == []


def test_symbols_parameters_apply_to_it_alone() -> None:
    profile = Profile.model_validate({"symbols": {"TINY": {"high_volume": {"threshold_shares": 50}}}})
    values = [trade_json(1), trade_json(1, symbol="TINY")]
    [value] = detect(values, profile=profile)
    assert orjson.loads(value)["symbol"] == "TINY"


def test_late_and_repeated_trades_are_counted_and_not_judged() -> None:
    engine = Engine(Profile())
    values = [
        trade_json(5),
        trade_json(4, size=30_000),
        trade_json(5, size=30_000),
        trade_json(6, size=30_000),
    ]
    anomalies = engine.detect([decode_trade(value) for value in values])
    assert [anomaly.at for anomaly in anomalies] == [3]
    assert engine.late_trades == 2


def test_replay_finds_nothing_again() -> None:
    engine = Engine(SMALL)
    trades = [decode_trade(value) for value in tape(300)]
    assert engine.detect(trades)
    assert engine.detect(trades) == []
    assert engine.late_trades == 300


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(1, 200), order=st.randoms(use_true_random=False))
def test_result_depends_on_each_symbols_order_alone(cut: int, order: object) -> None:
    tapes = {symbol: tape(150, symbol, seed) for seed, symbol in enumerate(("AAA", "BBB", "CCC"))}
    alone = sorted(value for values in tapes.values() for value in detect(values))
    turns = [symbol for symbol, values in tapes.items() for _ in values]
    order.shuffle(turns)
    queues = {symbol: iter(values) for symbol, values in tapes.items()}
    interleaved = [next(queues[symbol]) for symbol in turns]
    assert sorted(detect(interleaved, cut)) == alone
    assert alone
