"""One anomaly and the trades around it; every answer is bounded."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard.server.anomaly_rows import SHOWN_FIELDS, rows_of
from dashboard.server.elastic import search, search_first
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, MAX_ID_BYTES, TRADES_INDICES

_TRADE_FIELDS = ("@timestamp", "trade_id", "price", "size", "side", "sequence")

Document = dict[str, Any]


@dataclass(frozen=True)
class Stretch:
    """The prints of an anomaly that has grown."""

    count: int
    """As the detector counts them."""
    before: int
    """So many of the prints before its own belong to it: what the detector had counted when it fired."""
    after: int
    """So many after its own."""

    @property
    def trades(self) -> int:
        """The symbol's trades from its first print to its last."""
        return self.before + 1 + self.after


def find_anomaly(client: Elasticsearch, trade_id: str) -> Document | None:
    """Return an anomaly as it is indexed, or None if no anomaly has this id.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not 0 < len(trade_id) <= MAX_ID_BYTES:
        return None
    query = {"bool": {"filter": [{"term": {"trade_id": trade_id}}]}}
    return search_first(client, ANOMALIES_INDICES, query=query)


def find_stretch(client: Elasticsearch, anomaly: Document) -> Stretch | None:
    """Return the stretch of an anomaly that has grown; None of one that stands for a single print.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    count = anomaly.get("count") or 1
    if count == 1:
        return None
    of_symbol = {"term": {"symbol": anomaly["symbol"]}}
    since = {"range": {"@timestamp": {"gte": anomaly["@timestamp"]}}}
    last = search(
        client,
        TRADES_INDICES,
        query={"bool": {"filter": [of_symbol, since, {"term": {"trade_id": anomaly["last_trade"]}}]}},
        size=1,
        track_total_hits=False,
        source_includes=("@timestamp",),
    )["hits"]["hits"]
    after = 0
    if last:
        times = {"gte": anomaly["@timestamp"], "lte": last[0]["_source"]["@timestamp"]}
        among = search(
            client,
            TRADES_INDICES,
            query={"bool": {"filter": [of_symbol, {"range": {"@timestamp": times}}]}},
            size=0,
            track_total_hits=True,
        )
        after = among["hits"]["total"]["value"] - 1
    return Stretch(count, max(count - 1 - after, 0), max(after, 0))


def find_trades_around(client: Elasticsearch, anomaly: Document, before: int, after: int) -> pd.DataFrame:
    """Return the trades of the same symbol before and after an anomaly, and its own.

    Parameters
    ----------
    client
        Elasticsearch client.
    anomaly
        As `find_anomaly` returns it.
    before, after
        Trades before it, and trades after it, at most.

    Returns
    -------
    pandas.DataFrame
        `before + 1 + after` rows at most in the order traded: `place` (0 for its own, negative before),
        `time` (UTC), `trade_id`, `price`, `size`, `side`, and `severity` and `label` (that of the
        highest-scored detection), empty where a trade is not anomalous.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    earlier = _neighbours(client, anomaly, before, "desc")
    later = _neighbours(client, anomaly, after, "asc")
    trades = [*reversed(earlier), anomaly, *later]
    frame = pd.DataFrame(
        {
            "place": range(-len(earlier), len(later) + 1),
            "time": pd.to_datetime([trade["@timestamp"] for trade in trades], format="ISO8601", utc=True),
            **{name: [trade.get(name) for trade in trades] for name in ("trade_id", "price", "size", "side")},
        }
    )
    found = _anomalies(client, anomaly["symbol"], trades[0], trades[-1], len(trades))
    return frame.merge(found[["trade_id", "severity", "label"]], on="trade_id", how="left").fillna(
        {"severity": "", "label": ""}
    )


def _neighbours(client: Elasticsearch, anomaly: Document, count: int, way: str) -> list[Document]:
    """Return the trades next to an anomaly, nearest first."""
    answer = search(
        client,
        TRADES_INDICES,
        # The days that cannot have a neighbour are ruled out before anything is sorted.
        query={
            "bool": {
                "filter": [
                    {"term": {"symbol": anomaly["symbol"]}},
                    {"range": {"@timestamp": {"gte" if way == "asc" else "lte": anomaly["@timestamp"]}}},
                ]
            }
        },
        sort=[
            {"@timestamp": {"order": way, "format": "strict_date_optional_time_nanos"}},
            {"sequence": {"order": way, "missing": 0, "unmapped_type": "long"}},
            {"trade_id": way},
        ],
        search_after=[anomaly["@timestamp"], anomaly.get("sequence", 0), anomaly["trade_id"]],
        size=count,
        source_includes=_TRADE_FIELDS,
        track_total_hits=False,
    )
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def _anomalies(
    client: Elasticsearch, symbol: str, first: Document, last: Document, count: int
) -> pd.DataFrame:
    """Return the anomalies between two trades, as `to_anomaly_rows` lays them out."""
    times = {"gte": first["@timestamp"], "lte": last["@timestamp"]}
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={"bool": {"filter": [{"term": {"symbol": symbol}}, {"range": {"@timestamp": times}}]}},
        sort=[{"score": "desc"}],
        size=count,
        source_includes=SHOWN_FIELDS,
        track_total_hits=False,
    )
    return rows_of(answer)
