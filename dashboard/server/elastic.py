"""Queries to Elasticsearch that every page uses; the size of every answer is bounded."""

import datetime as dt
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from dashboard.server.answers import SharingNode
from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.errors import explain_errors
from services.contracts.iso_time import iso_utc

TIMEOUT_S = 10.0
_CONNECTIONS = 8
_THREADS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="together")
"""Kept, as a thread takes milliseconds to start."""
_AHEAD = ThreadPoolExecutor(max_workers=32, thread_name_prefix="ahead")
_is_in_thread = ContextVar("is_in_thread", default=False)

T = TypeVar("T")


def open_client(url: str) -> Elasticsearch:
    """Return a client whose requests give up after `TIMEOUT_S`, for all visitors; connects to nothing yet.

    Raises
    ------
    TapewatchError
        The URL or the settings for logging in are invalid.
    """
    return new_client(url, connections=_CONNECTIONS, node=SharingNode).options(request_timeout=TIMEOUT_S)


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls at the same time, and return their results in the same order.

    Raises
    ------
    TapewatchError
        The first of them that fails, in the order given.
    """
    if _is_in_thread.get():  # which would wait for a thread as others do
        return [call() for call in calls]
    # In a copy of the context each: what becomes of its requests is noted for who called.
    futures = [_THREADS.submit(copy_context().run, _in_thread, call) for call in calls]
    # All are waited for: none may go on for a caller that has gone.
    wait(futures)
    return [future.result() for future in futures]


@contextmanager
def begun(call: Callable[[], T]) -> Iterator[Future[T]]:
    """Make a call, which may make others `together`, while the block runs.

    Yields
    ------
    Future
        Of its result; after the block it is done.
    """
    future = _AHEAD.submit(copy_context().run, call)
    try:
        yield future
    finally:
        wait([future])  # it may not go on for a caller that has gone


def _in_thread(call: Callable[[], object]) -> object:
    _is_in_thread.set(True)
    return call()


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


def search_first(client: Elasticsearch, index: str, **arguments: Any) -> dict[str, Any] | None:
    """Return the first document of a `search`; None without any.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    hits = search(client, index, size=1, track_total_hits=False, **arguments)["hits"]["hits"]
    return hits[0]["_source"] if hits else None


def aggregate(
    client: Elasticsearch,
    index: str,
    filters: list[dict[str, Any]],
    aggs: dict[str, Any],
    same: str | None = None,
) -> dict[str, Any]:
    """Return the aggregations alone; empty if there is no such index yet.

    Parameters
    ----------
    client, index, filters, aggs
        What is asked.
    same
        Names what there is to read: with it, an answer is new enough for `SAME_FOR_S`.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client,
        index,
        query={"bool": {"filter": filters}},
        aggs=aggs,
        size=0,
        track_total_hits=False,
        # Any text may stand there: equal ones are answered by the same copies of the shards.
        preference=same,
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
    return {"range": {"@timestamp": {"gte": iso_utc(time_range.start), "lt": iso_utc(time_range.end)}}}


def by_time(width_s: float) -> dict[str, Any]:
    """Cut time into buckets of so many seconds; those without documents are left out."""
    return {"field": "@timestamp", "fixed_interval": f"{round(1000 * width_s)}ms", "min_doc_count": 1}
