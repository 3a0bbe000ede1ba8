"""A few trades with anomalies that have every field, on a day before that of `tape`."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import Elasticsearch, helpers

from infra.setup.templates import set_up_templates

SYMBOL = "LOOK"
DAY = "2039.12.05"
INDICES = [f"trades-{DAY}", f"anomalies-{DAY[:7]}"]
START = dt.datetime(2039, 12, 5, 15, tzinfo=dt.UTC)
ITSELF = "look-100"
EVIL_REASON = "<img src=x onerror=\"document.title='owned'\"> **bold** :red[red]"

Document = dict[str, Any]


def make_documents() -> tuple[list[Document], list[Document]]:
    """Return 201 trades, two at each nanosecond, and the anomalies among them: 10, 60, 100 and 101."""
    trades = []
    for number in range(201):
        time = START + dt.timedelta(milliseconds=number // 2)
        trades.append(
            {
                "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.%f") + "007Z",
                "trade_id": f"look-{number}",
                "symbol": SYMBOL,
                "price": 50 + number / 100,
                "size": 100 + number,
                "side": "ABN"[number % 3],
                "source": "test",
                "sequence": number,
            }
        )
    anomalies = [
        trades[10] | _findings("High Volume", "medium", 0.6),
        trades[60] | _findings("Off-Market Price", "high", 0.7),
        trades[100] | _findings("Off-Market Price", "critical", 0.875),
        trades[101] | _findings("Off-Market Price", "low", 0.5),
    ]
    return trades, anomalies


@contextmanager
def indexed(client: Elasticsearch) -> Iterator[tuple[list[Document], list[Document]]]:
    """Index them until the end of the block, and remove verdicts on them."""
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
        client.indices.delete(index=[*INDICES, "verdicts"], ignore_unavailable=True)


def _findings(label: str, severity: str, score: float) -> Document:
    return {
        "anomalies": [label],
        "score": score,
        "severity": severity,
        "message": f"The price is 2.5% above the last; a {severity} one.",
        "detections": [
            {
                "detector": "test",
                "label": label,
                "score": score,
                "value": 51.25,
                "expected": 50.0,
                "threshold": 50.75,
                "reason": EVIL_REASON,
            }
        ],
        "contributions": {"price_distance": 0.75, "isolation": 0.25},
        "features": {"price_distance": 2.5, "isolation": 0.625},
        "session": "2039-12-05",
        "model": {"name": "tapewatch", "version": "0.1.0", "profile": "abcdef012345"},
        "detected_at": "2039-12-05T15:00:01.000000Z",
    }
