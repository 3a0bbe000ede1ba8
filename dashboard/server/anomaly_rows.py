"""Anomalies as rows of a table, whichever page shows them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboard.server.elastic import search
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES

SHOWN_FIELDS = (
    "@timestamp",
    "trade_id",
    "symbol",
    "price",
    "size",
    "side",
    "severity",
    "score",
    "anomalies",
    "message",
    "detections.label",
    "detections.score",
    "last_trade",
    "count",
)
"""Fields of an anomaly that `to_anomaly_rows` reads."""


def find_anomalies(client: Elasticsearch, trade_ids: Sequence[str]) -> pd.DataFrame:
    """Return anomalies by their ids as `to_anomaly_rows` lays them out, the newest first.

    Parameters
    ----------
    client
        Client of the cluster.
    trade_ids
        At most as many as a page shows; those that are not indexed are left out.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={"bool": {"filter": [{"terms": {"trade_id": list(trade_ids)}}]}},
        sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}],
        size=max(len(trade_ids), 1),
        track_total_hits=False,
        source_includes=SHOWN_FIELDS,
    )
    return rows_of(answer)


def rows_of(answer: dict[str, Any]) -> pd.DataFrame:
    """Lay the anomalies that a search found out as `to_anomaly_rows` does."""
    return to_anomaly_rows([hit["_source"] for hit in answer["hits"]["hits"]])


def to_anomaly_rows(sources: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Lay anomalies out as `AnomalySummary.rows`, in the order given."""
    rows = []
    for source in sources:
        detections = source.get("detections") or []
        strongest = max(detections, key=lambda detection: detection["score"], default=None)
        rows.append(
            {
                "time": source["@timestamp"],
                **{name: source.get(name) for name in ("trade_id", "symbol", "price", "size", "side")},
                "severity": source["severity"],
                "score": source["score"],
                "labels": source["anomalies"],
                "label": strongest["label"] if strongest else source["anomalies"][0],
                "message": source["message"],
                "last_trade": source.get("last_trade"),
                "count": source.get("count") or 1,
            }
        )
    columns = ["time", "trade_id", "symbol", "price", "size", "side"]
    columns += ["severity", "score", "labels", "label", "message", "last_trade", "count"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["time"] = pd.to_datetime(frame["time"], format="ISO8601", utc=True)
    return frame


def passing(labels: Sequence[str], severities: Sequence[str]) -> list[dict[str, Any]]:
    """Match anomalies with any of the labels and any of the severities; empty for all."""
    filters: list[dict[str, Any]] = []
    if labels:
        filters.append({"terms": {"anomalies": list(labels)}})
    if severities:
        filters.append({"terms": {"severity": list(severities)}})
    return filters
