"""Many symbols with anomalies of every severity, on a day before that of `tape`."""

import datetime as dt
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import Elasticsearch

from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS
from tests.browser.tape import index_trades

DAY = dt.date(2039, 11, 15)
INDICES = ["trades-2039.11.15", "anomalies-2039.11"]
OPEN = dt.datetime(2039, 11, 15, 14, 30, tzinfo=dt.UTC)
HOURS = 6.5

Document = dict[str, Any]


def make_many(symbols: int, trades_each: int = 12, seed: int = 3) -> list[Document]:
    """Return trades of so many symbols; about a third with an anomaly's fields in `_anomaly`.

    Parameters
    ----------
    symbols
        How many, `SYM000` and so on.
    trades_each
        Trades of each.
    seed
        The same gives the same documents.
    """
    chance = random.Random(seed)  # noqa: S311
    trades = []
    for number in range(symbols * trades_each):
        time = OPEN + dt.timedelta(seconds=chance.uniform(0, HOURS * 3600))
        trades.append(
            {
                "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z",
                "trade_id": f"many-{number}",
                "symbol": f"SYM{number % symbols:03d}",
                "price": round(50 + number % symbols + chance.gauss(0, 1), 2),
                "size": chance.randint(1, 500),
                "side": chance.choice("ABN"),
                "source": "test",
                "sequence": number,
            }
        )
        if chance.random() < 1 / 3:
            trades[-1]["_anomaly"] = _anomaly(chance)
    return trades


@contextmanager
def indexed(client: Elasticsearch, trades: list[Document]) -> Iterator[list[Document]]:
    """Index them until the end of the block."""
    index_trades(client, trades)
    try:
        yield trades
    finally:
        client.indices.delete(index=INDICES, ignore_unavailable=True)


def _anomaly(chance: random.Random) -> Document:
    (severity,) = chance.choices(list(Severity), weights=[30, 45, 15, 7, 3])
    label = chance.choice(LABELS)
    score = round(chance.random(), 6)
    return {
        "anomalies": [label],
        "severity": str(severity),
        "score": score,
        "message": f"The price is {chance.uniform(0.1, 9):.2f}% above the last one, 101.25.",
        "detections": [{"detector": "test", "label": label, "score": score}],
        "session": DAY.isoformat(),
    }
