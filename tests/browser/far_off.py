"""A calm tape with two prints far off the market, and an anomaly that has grown, on a day of its own."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import Elasticsearch, helpers

from infra.setup.templates import set_up_templates

SYMBOL = "FAROFF"
DAY = dt.date(2039, 12, 7)
INDICES = ["trades-2039.12.07", "anomalies-2039.12"]
START = dt.datetime(2039, 12, 7, 15, tzinfo=dt.UTC)
EVERY_S = 10

HIGH, LOW = 30, 45
"""Places of the prints far off."""
GROWN, LAST, COUNT = 20, 24, 8
"""Places of the first and the last flagged print of a stretch, and the prints that it counts."""
COUNTED_ELSEWHERE = 12
"""The place of a print whose size is no part of the volume."""

Document = dict[str, Any]


def make_documents() -> tuple[list[Document], list[Document]]:
    """Return 60 trades, and three anomalies."""
    trades: list[Document] = [
        {
            "@timestamp": (START + dt.timedelta(seconds=EVERY_S * number)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "trade_id": f"far-{number}",
            "symbol": SYMBOL,
            "price": round(50 + number % 7 / 100, 2),
            "size": 100 + number,
            "side": "ABN"[number % 3],
            "source": "test",
            "sequence": number,
            "venue": "XNYS",
            "tape": "A",
        }
        for number in range(60)
    ]
    trades[HIGH]["price"], trades[LOW]["price"] = 500.1, 5.01
    trades[COUNTED_ELSEWHERE] |= {"volume_eligible": False, "size": 70_000}
    trades[HIGH] |= {"conditions": ["odd_lot", "late"], "conditions_raw": ["I", "Z"], "extra": {"desk": "7"}}
    grown = {"first_trade": f"far-{GROWN}", "last_trade": f"far-{LAST}", "count": COUNT, "revision": 2}
    features = {"price_low": 50.01, "price_high": 50.05, "mean_size": 120.0}
    anomalies = [
        trades[HIGH]
        | _findings("off_market_price", "Off-Market Price", "critical", 500.1, 50.03, 51.25)
        | {"features": features},
        trades[GROWN] | _findings("burst", "Burst", "medium", 5.4, 0.0, 4.1) | grown,
        trades[5] | _findings("unusual_size", "Unusual Size", "low", 105, 20.0, 60.0),
    ]
    return trades, anomalies


@contextmanager
def indexed(client: Elasticsearch) -> Iterator[tuple[list[Document], list[Document]]]:
    """Index them until the end of the block."""
    trades, anomalies = make_documents()
    set_up_templates(client)
    actions = [
        {"_index": index, "_id": document["trade_id"], "_source": document}
        for index, documents in zip(INDICES, (trades, anomalies), strict=True)
        for document in documents
    ]
    helpers.bulk(client, actions, refresh=True)
    try:
        yield trades, anomalies
    finally:
        client.indices.delete(index=INDICES, ignore_unavailable=True)


def _findings(
    detector: str, label: str, severity: str, value: float, expected: float, threshold: float
) -> Document:
    return {
        "anomalies": [label],
        "score": 0.7,
        "severity": severity,
        "message": f"A {severity} one.",
        "detections": [
            {
                "detector": detector,
                "label": label,
                "score": 0.7,
                "value": value,
                "expected": expected,
                "threshold": threshold,
                "reason": "it is",
            }
        ],
        "session": DAY.isoformat(),
    }
