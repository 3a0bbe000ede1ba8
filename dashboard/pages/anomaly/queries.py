"""One anomaly: itself, the trades around it, and earlier ones of its kind; every answer is bounded."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard.server.anomaly_rows import SHOWN_FIELDS, rows_of, to_anomaly_rows
from dashboard.server.elastic import search
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDICES

MAX_ID = 512
"""Longest `trade_id` in Elasticsearch, in characters."""

MAX_EARLIER = 20
_TRADE_FIELDS = ("@timestamp", "trade_id", "price", "size", "side", "sequence")

Document = dict[str, Any]


@dataclass(frozen=True)
class Earlier:
    """Anomalies of the same kind on the same symbol, before one."""

    label: str
    """The kind: the label of the highest-scored detection."""
    total: int
    rows: pd.DataFrame
    """The newest of them, newest first, `MAX_EARLIER` at most; as `to_anomaly_rows` lays them out."""


def find_anomaly(client: Elasticsearch, trade_id: str) -> Document | None:
    """Return an anomaly as it is indexed, or None if no anomaly has this id.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not 0 < len(trade_id) <= MAX_ID:
        return None
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={"bool": {"filter": [{"term": {"trade_id": trade_id}}]}},
        size=1,
        track_total_hits=False,
    )
    hits = answer["hits"]["hits"]
    return hits[0]["_source"] if hits else None


def find_trades_around(client: Elasticsearch, anomaly: Document, count: int) -> pd.DataFrame:
    """Return the trades of the same symbol before and after an anomaly, and its own.

    Parameters
    ----------
    client
        Elasticsearch client.
    anomaly
        As `find_anomaly` returns it.
    count
        Trades before it, and trades after it, at most.

    Returns
    -------
    pandas.DataFrame
        `2 * count + 1` rows at most in the order traded: `place` (0 for its own, negative before), `time`
        (UTC), `trade_id`, `price`, `size`, `side`, and `severity` and `label` (that of the highest-scored
        detection), empty where a trade is not anomalous.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    before = _neighbours(client, anomaly, count, "desc")
    after = _neighbours(client, anomaly, count, "asc")
    trades = [*reversed(before), anomaly, *after]
    frame = pd.DataFrame(
        {
            "place": range(-len(before), len(after) + 1),
            "time": pd.to_datetime([trade["@timestamp"] for trade in trades], format="ISO8601", utc=True),
            **{name: [trade.get(name) for trade in trades] for name in ("trade_id", "price", "size", "side")},
        }
    )
    found = _anomalies(client, anomaly["symbol"], trades[0], trades[-1], len(trades))
    return frame.merge(found[["trade_id", "severity", "label"]], on="trade_id", how="left").fillna(
        {"severity": "", "label": ""}
    )


def find_earlier(client: Elasticsearch, anomaly: Document) -> Earlier:
    """Return earlier anomalies of the same kind on the same symbol.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    label = to_anomaly_rows([anomaly])["label"][0]
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={
            "bool": {
                "filter": [
                    {"term": {"symbol": anomaly["symbol"]}},
                    {"term": {"anomalies": label}},
                    {"range": {"@timestamp": {"lt": anomaly["@timestamp"]}}},
                ]
            }
        },
        sort=[{"@timestamp": "desc"}, {"trade_id": "asc"}],
        size=MAX_EARLIER,
        track_total_hits=True,
        source_includes=SHOWN_FIELDS,
    )
    return Earlier(label, answer["hits"]["total"]["value"], rows_of(answer))


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
