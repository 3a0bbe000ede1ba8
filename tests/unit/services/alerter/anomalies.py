"""Anomalies and rules for the tests of the alerter."""

from typing import Any

import orjson

from services.alerter.rules.model import Match, Route, Rule, Rules
from services.alerter.seen import Headers, Seen, read_seen
from services.contracts.anomaly import JUDGED_AGAIN, TAPE_CLOCK, TRADE_OFFSET, TRADE_TIME, Severity
from services.contracts.correction import Action, Correction
from services.contracts.iso_time import iso_ns

SECOND_NS = 1_000_000_000
NOON_NS = 1_733_155_200 * SECOND_NS  # 2024-12-02, 11 o'clock in New York
NEVER_NS = 2**62


def at(second: float) -> int:
    """Return a time in ns since 1970, from seconds of the tests' tape."""
    return NOON_NS + round(second * SECOND_NS)


def anomaly_message(second: float = 0.0, trade_id: str = "t", **fields: Any) -> bytes:
    """Write an anomaly as the topic has it."""
    labels = fields.pop("labels", ["Burst"])
    score = fields.get("score", 0.7)
    anomaly = {
        "@timestamp": iso_ns(at(second)),
        "trade_id": trade_id,
        "symbol": "NVDA",
        "price": 100.5,
        "size": 200,
        "side": "B",
        "source": "databento",
        "anomalies": labels,
        "score": score,
        "severity": "medium",
        "message": f"{labels[0]} of {trade_id}.",
        "detections": [
            {
                "detector": "burst",
                "label": labels[0],
                "score": score,
                "value": 3.0,
                "expected": 1.0,
                "threshold": 2.0,
                "reason": "so",
            }
        ],
        "contributions": {},
        "features": {},
        "session": "2024-12-02",
        "model": {"name": "tapewatch", "version": "0", "profile": "0"},
    }
    return orjson.dumps(anomaly | fields)


def seen(second: float = 0.0, trade_id: str = "t", clock: float | None = None, **fields: Any) -> Seen:
    """Return an anomaly; the tape's clock is that of its own trade unless told otherwise."""
    headers: Headers = [(TAPE_CLOCK, str(at(second if clock is None else clock)).encode())]
    return read_seen(anomaly_message(second, trade_id, **fields), headers)


def live_headers(clock_ns: int, offset: int, time_ms: int, is_again: bool = False) -> Headers:
    """Return the headers of the detector."""
    again = [(JUDGED_AGAIN, b"1")] if is_again else []
    return [
        (TRADE_OFFSET, str(offset).encode()),
        (TAPE_CLOCK, str(clock_ns).encode()),
        (TRADE_TIME, str(time_ms).encode()),
        *again,
    ]


def correction(trade_id: str | None, number: int = 1, action: Action = "cancel") -> Correction:
    """Return a venue's correction."""
    return Correction(iso_ns(at(60)), f"c{number}", trade_id, "NVDA", action, "coinbase")


def rule(name: str = "all", **fields: Any) -> Rule:
    """Return a rule for everything, grouped by label, with a quiet time of 60 s."""
    given: dict[str, Any] = {
        "match": Match(),
        "group_by": "label",
        "quiet_s": 60.0,
        "inhibited_by": Severity.CRITICAL,
        "send": (Route("desk"),),
    }
    return Rule(name=name, **(given | fields))


def rules(*some: Rule) -> Rules:
    """Return a file's rules; without any, the one of `rule`."""
    return Rules(some or (rule(),), {}, "0" * 16)
