"""Alerts and what became of them, whichever page shows them; every answer is bounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dashboard.server.elastic import aggregate, counts_of, search
from services.common.elastic.client import Elasticsearch
from services.contracts.alert import Alert, AlertState
from services.contracts.indices import ALERT_DELIVERIES_INDICES, ALERTS_INDICES
from services.review.cases import (
    assignees,
    closed_alerts,
)

MAX_ALERTS = 200
"""Alerts of a list."""
MAX_EARLIER = 20
MAX_DELIVERIES = 200
MAX_SYMBOLS = 1000

_NEWEST_FIRST = [
    {"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}},
    {"alert_id": {"order": "asc", "unmapped_type": "keyword"}},
]

Filter = dict[str, Any]


@dataclass(frozen=True)
class Filters:
    """Which alerts; a filter that is empty or None does not narrow them."""

    is_closed: bool = False
    """Those whose case is closed, instead of the open ones."""
    severities: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    assignee: str | None = None
    """Those assigned to this person; empty: to nobody."""


@dataclass(frozen=True)
class Found:
    """Some of the alerts that fit."""

    alerts: list[Alert]
    """The newest first, `MAX_ALERTS` at most."""
    total: int
    newest: str
    """When the newest change of any of them was decided; empty without alerts."""


def find_alerts(client: Elasticsearch, filters: Filters, most: int = MAX_ALERTS) -> Found:
    """Return the newest alerts that fit.

    An alert is open until somebody closes its case, whether or not more trades can join it; one that the
    detector has taken back is neither.

    Parameters
    ----------
    client
        Client of the cluster.
    filters
        Which.
    most
        How many at most; 0 to count them.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client,
        ALERTS_INDICES,
        query=_to_query(client, filters),
        sort=_NEWEST_FIRST,
        aggs={"newest": {"max": {"field": "decided_at"}}},
        size=most,
        track_total_hits=True,
    )
    newest = answer.get("aggregations", {}).get("newest", {}).get("value_as_string", "")
    return Found(_alerts_of(answer), answer["hits"]["total"]["value"], newest)


def count_open(client: Elasticsearch) -> int:
    """Return how many alerts are open.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    return find_alerts(client, Filters(), most=0).total


def find_symbols(client: Elasticsearch) -> list[str]:
    """Return the symbols that have alerts, in alphabetical order; the `MAX_SYMBOLS` with the most at most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    by_symbol = {"symbols": {"terms": {"field": "symbol", "size": MAX_SYMBOLS}}}
    return sorted(counts_of(aggregate(client, ALERTS_INDICES, [], by_symbol), "symbols"))


def find_alerts_by_id(client: Elasticsearch, alert_ids: Sequence[str]) -> dict[str, Alert]:
    """Return alerts by id, without those that are not indexed.

    Parameters
    ----------
    client
        Client of the cluster.
    alert_ids
        `MAX_ALERTS` at most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not alert_ids:
        return {}
    answer = search(
        client,
        ALERTS_INDICES,
        query={"bool": {"filter": [{"terms": {"alert_id": list(alert_ids)}}]}},
        size=MAX_ALERTS,
        track_total_hits=False,
    )
    return {alert.alert_id: alert for alert in _alerts_of(answer)}


def find_earlier_alerts(client: Elasticsearch, alert: Alert) -> Found:
    """Return earlier alerts on the same symbol, `MAX_EARLIER` at most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    filters = [{"term": {"symbol": alert.symbol}}, {"range": {"@timestamp": {"lt": alert.timestamp}}}]
    answer = search(
        client,
        ALERTS_INDICES,
        query={"bool": {"filter": filters}},
        sort=_NEWEST_FIRST,
        size=MAX_EARLIER,
        track_total_hits=True,
    )
    return Found(_alerts_of(answer), answer["hits"]["total"]["value"], "")


def find_deliveries(client: Elasticsearch, alert_id: str) -> list[dict[str, Any]]:
    """Return the records of the tries to send an alert, the newest first, `MAX_DELIVERIES` at most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client,
        ALERT_DELIVERIES_INDICES,
        query={"bool": {"filter": [{"term": {"alert_id": alert_id}}]}},
        sort=[
            {"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}},
            {"revision": {"order": "desc", "unmapped_type": "long"}},
        ],
        size=MAX_DELIVERIES,
        track_total_hits=False,
        source_excludes=["digest"],
    )
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def _to_query(client: Elasticsearch, filters: Filters) -> dict[str, Any]:
    closed, since = closed_alerts(client)
    among: list[Filter] = []
    without: list[Filter] = [{"term": {"state": AlertState.WITHDRAWN}}]
    if filters.is_closed:
        among.append({"terms": {"alert_id": closed}})
        without = []
    elif closed:
        without.append({"terms": {"alert_id": closed}})
    if since is not None:
        among.append({"range": {"@timestamp": {"gt": since}}})
    if filters.severities:
        among.append({"terms": {"severity": list(filters.severities)}})
    if filters.symbols:
        among.append({"terms": {"symbol": list(filters.symbols)}})
    if filters.assignee is not None:
        assigned = assignees(client)
        ids = [key for key, name in assigned.items() if not filters.assignee or name == filters.assignee]
        (among if filters.assignee else without).append({"terms": {"alert_id": ids}})
    return {"bool": {"filter": among, "must_not": without}}


def _alerts_of(answer: dict[str, Any]) -> list[Alert]:
    return [_to_alert(hit["_source"]) for hit in answer["hits"]["hits"]]


def _to_alert(source: dict[str, Any]) -> Alert:
    alert = msgspec.convert(source, Alert)
    # A link of another kind could run code in the browser.
    links = {name: link for name, link in alert.links.items() if link.startswith(("https://", "http://"))}
    return alert if links == alert.links else msgspec.structs.replace(alert, links=links)
