"""Queries to Elasticsearch that every page uses; the size of every answer is bounded."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.errors import explain_errors

TIMEOUT_S = 10.0
_CONNECTIONS = 8
_AT_ONCE = 4


def open_client(url: str) -> Elasticsearch:
    """Return a client whose requests give up after `TIMEOUT_S`; connects to nothing yet.

    Raises
    ------
    TapewatchError
        The URL or the settings for logging in are invalid.
    """
    return new_client(url, connections=_CONNECTIONS).options(request_timeout=TIMEOUT_S)


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls at the same time, and return their results in the same order.

    Raises
    ------
    TapewatchError
        The first of them that fails, in the order given.
    """
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def search(client: Elasticsearch, index: str, **arguments: Any) -> dict[str, Any]:
    """Return a search's answer, of all shards or none.

    Parameters
    ----------
    client
        Elasticsearch client.
    index
        Name or pattern.
    **arguments
        As `Elasticsearch.search` takes them.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    with explain_errors(client):
        # Half a count would be a wrong count.
        answer: dict[str, Any] = client.search(
            index=index, allow_partial_search_results=False, **arguments
        ).body
    return answer


def aggregate(
    client: Elasticsearch, index: str, filters: list[dict[str, Any]], aggs: dict[str, Any]
) -> dict[str, Any]:
    """Return the aggregations alone; empty if there is no such index yet.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client, index, query={"bool": {"filter": filters}}, aggs=aggs, size=0, track_total_hits=False
    )
    aggregations: dict[str, Any] = answer.get("aggregations", {})
    return aggregations


def counts_of(aggregations: dict[str, Any], name: str) -> dict[str, int]:
    """Return what a `terms` aggregation counted, by value, in its order; empty without indices."""
    buckets = aggregations[name]["buckets"] if aggregations else []
    return {bucket["key"]: bucket["doc_count"] for bucket in buckets}


def newest_of(aggregations: dict[str, Any], name: str) -> dt.datetime | None:
    """Return what a `max` over a time gave, UTC; None without documents or indices."""
    value = aggregations[name]["value"] if aggregations else None
    return None if value is None else from_ms(value)


def from_ms(epoch_ms: float) -> dt.datetime:
    """Return a time that an aggregation gave, in milliseconds since 1970."""
    return dt.datetime.fromtimestamp(epoch_ms / 1000, dt.UTC)


def during(time_range: TimeRange) -> dict[str, Any]:
    """Match documents of a time range."""
    return {"range": {"@timestamp": {"gte": _iso(time_range.start), "lt": _iso(time_range.end)}}}


def _iso(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
