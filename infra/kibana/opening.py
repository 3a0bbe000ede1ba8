"""What Kibana opens with: the last 24 hours, or where the data is older, its newest session."""

import datetime as dt
from typing import Any

from infra.kibana.objects.saved_object import RECENT, TimeRange
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.contracts.indices import TRADES_INDICES
from services.contracts.iso_time import iso_utc

FEWEST_TRADES = 10
"""A day or an hour with fewer does not decide, unless all have fewer: it may be prints with a wrong date."""

LONGEST_BREAK = dt.timedelta(hours=6)
"""A session begins where no trade came for longer before."""

_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)
_FIRST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def opening_times(client: Elasticsearch, now: dt.datetime) -> TimeRange:
    """Return what dashboards and searches should open with.

    Parameters
    ----------
    client
        Client of the cluster, whose user may read trades.
    now
        UTC; trades that are dated later do not count.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    days = _busy(client, "1d", _FIRST, now)
    if not days:
        return RECENT
    hours = _busy(client, "1h", days[-1] - _DAY, min(days[-1] + _DAY, now))
    first = last = hours[-1]
    if last + _HOUR >= now - _DAY:
        return RECENT
    for hour in reversed(hours):
        if first - hour > LONGEST_BREAK or last - hour >= _DAY:
            break
        first = hour
    return TimeRange(iso_utc(first, "milliseconds"), iso_utc(last + _HOUR, "milliseconds"))


def _busy(client: Elasticsearch, length: str, start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """Return the beginnings of the periods of a time range that have trades, in order."""
    within = {
        "range": {"@timestamp": {"gte": iso_utc(start, "milliseconds"), "lt": iso_utc(end, "milliseconds")}}
    }
    histogram = {"field": "@timestamp", "fixed_interval": length, "min_doc_count": 1}
    with explain_errors(client):
        answer: dict[str, Any] = client.search(
            index=TRADES_INDICES, size=0, query=within, aggs={"periods": {"date_histogram": histogram}}
        ).body
    buckets = answer.get("aggregations", {}).get("periods", {}).get("buckets", [])
    busy = [bucket for bucket in buckets if bucket["doc_count"] >= FEWEST_TRADES] or buckets
    return [dt.datetime.fromtimestamp(bucket["key"] / 1000, dt.UTC) for bucket in busy]
