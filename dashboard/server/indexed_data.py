"""How much Elasticsearch holds, and how new it is."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from dashboard.server import plausible_times
from dashboard.server.elastic import newest_of, search
from dashboard.server.newest import find_newest
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDICES


@dataclass(frozen=True)
class Documents:
    """Number of documents of one kind, in all indices, and their newest event time, UTC; None without any.

    A time that is ahead of the clock cannot be true, and does not count.
    """

    count: int
    newest: dt.datetime | None


@dataclass(frozen=True)
class IndexedData:
    """What is indexed, over all symbols and days."""

    trades: Documents
    anomalies: Documents
    newest_detection: dt.datetime | None
    """Time of the latest detection, UTC; None without anomalies."""


def find_indexed_data(client: Elasticsearch) -> IndexedData:
    """Count the documents, and return their newest times.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    newest = {"newest": {"max": {"field": "@timestamp"}}}
    detected = {"detected": {"max": {"field": "detected_at"}}}
    trades = search(client, TRADES_INDICES, size=0, track_total_hits=True, aggs=newest)
    anomalies = search(client, ANOMALIES_INDICES, size=0, track_total_hits=True, aggs=newest | detected)
    newest_detection = newest_of(anomalies.get("aggregations", {}), "detected")
    return IndexedData(
        _documents(client, TRADES_INDICES, trades),
        _documents(client, ANOMALIES_INDICES, anomalies),
        newest_detection,
    )


def _documents(client: Elasticsearch, index: str, answer: dict[str, Any]) -> Documents:
    newest = newest_of(answer.get("aggregations", {}), "newest")
    if newest is not None and newest > plausible_times.latest():
        _, newest = find_newest(client, index, plausible_times.latest_in_query())
    return Documents(answer["hits"]["total"]["value"], newest)
