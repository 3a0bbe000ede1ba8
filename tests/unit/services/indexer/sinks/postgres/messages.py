"""Messages of the topics besides trades, with fields changed as a test needs them."""

from typing import Any

import orjson

from tests.samples import trade_json


def anomaly(number: int = 1, /, **changes: Any) -> bytes:
    """Return an anomaly of the trade of that number."""
    detections = [
        {"detector": "burst", "label": "Burst", "score": 0.7, "value": 3.5, "expected": 1.0, "threshold": 2.0,
         "reason": "many prints"},
        {"detector": "unusual_size", "label": "Unusual Size", "score": 0.6, "value": 900.0, "expected": 100.0,
         "threshold": 500.0, "reason": "a large print"},
    ]  # fmt: skip
    fields = orjson.loads(trade_json(number)) | {
        "anomalies": ["Burst", "Unusual Size"],
        "score": 0.7,
        "severity": "high",
        "message": "NVDA: many prints",
        "detections": detections,
        "contributions": {"rate": 0.75, "size": 0.25},
        "features": {"rate": 12.5},
        "session": "2024-12-02",
        "model": {"name": "tapewatch", "version": "0.1.0", "profile": "0123456789ab"},
        "detected_at": "2026-01-02T03:04:05.678901Z",
    }
    return orjson.dumps(fields | changes)


def correction(**changes: Any) -> bytes:
    """Return a correction that cancels a trade."""
    fields = {
        "@timestamp": "2024-12-02T15:00:00.000000001Z",
        "correction_id": "c-1",
        "trade_id": "2-11667-20241202-1",
        "symbol": "NVDA",
        "action": "cancel",
        "source": "alpaca",
        "original": {"number": 7, "price": 137.97},
    }
    return orjson.dumps(fields | changes)


def alert(**changes: Any) -> bytes:
    """Return a revision of an alert."""
    trade = {"trade_id": "2-11667-20241202-1", "time": "2024-12-02T14:30:01Z", "price": 137.97, "size": 100}
    fields = {
        "@timestamp": "2024-12-02T14:30:01.000000007Z",
        "alert_id": "0" * 32,
        "revision": 1,
        "state": "opened",
        "symbol": "NVDA",
        "session": "2024-12-02",
        "rule": "everything",
        "group": "price",
        "labels": ["Burst"],
        "severity": "high",
        "score": 0.7,
        "count": 1,
        "message": "NVDA: many prints",
        "first_trade": "2-11667-20241202-1",
        "last_trade": "2-11667-20241202-9",
        "last_time": "2024-12-02T14:30:09.000000007Z",
        "anomalies": ["2-11667-20241202-1"],
        "worst": {"trade": trade, "detections": []},
        "quiet_s": 60.0,
        "links": {},
        "sending": "due",
    }
    return orjson.dumps(fields | changes)
