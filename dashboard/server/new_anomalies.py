"""Anomalies that were detected since a time."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from dashboard.server.elastic import search
from services.common.elastic.client import Elasticsearch
from services.contracts.anomaly import Severity
from services.contracts.indices import ANOMALIES_INDICES
from services.contracts.iso_time import iso_utc

MAX_NEW = 10
"""Of more at once, the newest."""


def find_new_anomalies(
    client: Elasticsearch, since: dt.datetime, severities: Sequence[Severity]
) -> list[dict[str, Any]]:
    """Return those detected after a time, of these severities, the oldest first, `MAX_NEW` at most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={
            "bool": {
                "filter": [
                    {"range": {"detected_at": {"gt": iso_utc(since)}}},
                    {"terms": {"severity": list(severities)}},
                ]
            }
        },
        sort=[{"detected_at": {"order": "desc", "unmapped_type": "date_nanos"}}],
        source=["trade_id", "symbol", "severity", "message"],
        size=MAX_NEW,
        track_total_hits=False,
    )
    return [hit["_source"] for hit in reversed(answer["hits"]["hits"])]
