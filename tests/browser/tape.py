"""A small set of trades with anomalies, indexed as the indexer does."""

import datetime as dt
import random
from collections.abc import Iterator
from typing import Any

from elasticsearch import Elasticsearch, helpers

from infra.setup.templates import set_up_templates
from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS

# After all that other tests index, so that the newest session is this one.
FIRST_DAY = dt.date(2040, 1, 3)
DAY = dt.date(2040, 1, 4)
INDICES = ["trades-2040.01.03", "trades-2040.01.04", "trades-2040.01.05", "anomalies-2040.01"]

MAIN = "MAIN"
QUIET = "QUIET"
EVIL = "<b>EV*IL*</b>"
EVIL_MESSAGE = '<img src=x onerror="document.title=1"> **bold** :red[red] $x^2$'

OPEN = dt.datetime(2040, 1, 4, 14, 5, tzinfo=dt.UTC)
"""A session of 16 hours: that of 4 January ends on 5 January, UTC."""

Document = dict[str, Any]


def make_trades() -> list[Document]:
    """Return 4,002 trades; a few with an anomaly's fields in `_anomaly`."""
    chance = random.Random(7)  # noqa: S311
    trades = []
    for number in range(4000):
        time = OPEN + dt.timedelta(seconds=chance.uniform(0, 11.5 * 3600))
        trades.append(_trade(number, MAIN, time, 100 + chance.gauss(0, 1), chance.randint(1, 500), chance))
    for number, trade in enumerate(trades[:600]):
        severity = chance.choice(list(Severity)[:4]) if number else Severity.CRITICAL
        trade["_anomaly"] = _anomaly(severity, 1.0 if number == 0 else chance.uniform(0.1, 0.9), chance)
    trades[0]["_anomaly"]["message"] = EVIL_MESSAGE
    trades.append(_trade(4000, QUIET, OPEN + dt.timedelta(hours=5), 7.25, 100, chance))
    trades.append(_trade(4001, EVIL, OPEN - dt.timedelta(days=1), 10.0, 100, chance))
    trades[-1]["_anomaly"] = _anomaly(Severity.HIGH, 0.8, chance)
    return trades


def index_trades(client: Elasticsearch, trades: list[Document]) -> None:
    """Create the templates, index the documents, and make them searchable."""
    set_up_templates(client)
    helpers.bulk(client, _actions(trades), refresh=True)


def remove(client: Elasticsearch) -> None:
    """Delete the documents."""
    client.indices.delete(index=",".join(INDICES), ignore_unavailable=True)


def anomalies_of(trades: list[Document]) -> list[Document]:
    """Return the fields that anomalies add to these trades."""
    return [trade["_anomaly"] for trade in trades if "_anomaly" in trade]


def time_of(trade: Document) -> dt.datetime:
    """Return the event time, to the microsecond."""
    return dt.datetime.fromisoformat(trade["@timestamp"][:26] + "+00:00")


def _trade(
    number: int, symbol: str, time: dt.datetime, price: float, size: int, chance: random.Random
) -> Document:
    return {
        "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z",
        "trade_id": f"test-{number}",
        "symbol": symbol,
        "price": round(price, 2),
        "size": size,
        "side": chance.choice("ABN"),
        "source": "test",
        "sequence": number,
    }


def _anomaly(severity: Severity, score: float, chance: random.Random) -> Document:
    label = chance.choice(LABELS)
    return {
        "anomalies": [label],
        "severity": severity,
        "score": score,
        "message": f"A {severity} one.",
        "detections": [{"detector": "test", "label": label, "score": score}],
        "session": DAY.isoformat(),
    }


def _actions(trades: list[Document]) -> Iterator[Document]:
    for trade in trades:
        plain = {name: value for name, value in trade.items() if name != "_anomaly"}
        day = trade["@timestamp"][:10].replace("-", ".")
        yield {"_index": f"trades-{day}", "_id": trade["trade_id"], "_source": plain}
        if "_anomaly" in trade:
            source = plain | trade["_anomaly"]
            yield {"_index": f"anomalies-{day[:7]}", "_id": trade["trade_id"], "_source": source}
