"""The newest document of an index, found by sorting: a `max` would look at every one that matches."""

import datetime as dt
from typing import Any

from dashboard.server.elastic import search
from services.common.elastic.client import Elasticsearch


def find_newest(
    client: Elasticsearch, index: str, until: str | None = None
) -> tuple[int, dt.datetime | None]:
    """Return how many documents there are, and the event time of the newest, UTC; None without any.

    Parameters
    ----------
    client
        Client of the cluster.
    index
        Name or pattern.
    until
        The latest event time that counts, as a query says it; None for all. With it, nothing is counted.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    query: dict[str, Any] = {"match_all": {}} if until is None else {"range": {"@timestamp": {"lte": until}}}
    found = search(
        client,
        index,
        query=query,
        size=1,
        sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}],
        source=["@timestamp"],
        track_total_hits=until is None,
    )["hits"]
    times = [dt.datetime.fromisoformat(hit["_source"]["@timestamp"]) for hit in found["hits"]]
    count = int(found["total"]["value"]) if until is None else 0
    return count, times[0].astimezone(dt.UTC) if times else None
