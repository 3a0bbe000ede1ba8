"""How long the pages of one symbol's day take: the dashboard's, and what Kibana's dashboards ask.

The dashboard is opened in Chromium as `benchmarks/dashboard.py` does. Of Kibana's dashboards Market and
Anomalies the requests are sent that Kibana makes for their panels and controls, eight at a time, with the
symbol and the day chosen; the time is until the last has answered. Caches of answers are emptied before,
segments are at rest, and nothing else runs. All of it is timed with all days indexed first; then what is not
of that day is deleted, and it is timed again.
"""

import datetime as dt
import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from elasticsearch.helpers import bulk, scan

from benchmarks.dashboard import running_browser, running_dashboard, turn_on_symbol, turns_of
from benchmarks.surroundings import note
from infra.kibana.asking.requests import Request, requests_of
from infra.kibana.content.all_objects import all_objects
from infra.kibana.content.anomalies import ANOMALIES
from infra.kibana.content.market import MARKET
from infra.kibana.objects.saved_object import RECENT, TIME_FIELD
from services.common.elastic.client import Elasticsearch, new_client
from services.common.errors import TapewatchError
from services.contracts.anomaly import Severity
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDEX_PREFIX, TRADES_INDICES

BOTH = f"{TRADES_INDICES},{ANOMALIES_INDICES}"
AT_ONCE = 8
KIBANA = {"Market": MARKET, "Anomalies": ANOMALIES}
MERGED_WITHIN_S = 120.0
SCANNED = 5_000
TIME_ZONE = "America/New_York"


def page_times(elasticsearch_url: str, symbol: str, day: dt.date, turns: int) -> dict[str, float]:
    """Return the median seconds of each page and change of a filter, by what was done.

    Raises
    ------
    TapewatchError
        Chromium was not found, or a page does not show what it should.
    """
    with new_client(elasticsearch_url) as client:
        _await_merges(client)
        with running_dashboard(elasticsearch_url) as url, running_browser() as browser:
            address = f"{url}/?symbol={symbol}&session={day}&live=off"
            found = turns_of(client, browser, address, turn_on_symbol, turns)
        seconds = {f"dashboard: {name}": statistics.median(times) for name, times in found.items()}
        for title, dashboard_id in KIBANA.items():
            requests = _requests(client, dashboard_id)
            times = [_asked_s(client, requests, symbol, day) for _ in range(turns + 1)][1:]
            name = f"Kibana's {title}: {len(requests)} requests"
            seconds[name] = statistics.median(times)
            note(f"scale: {name}: {seconds[name]:.3f} s")
    return seconds


def striking_symbol(client: Elasticsearch, day: dt.date) -> str:
    """Return the symbol with the most anomalies of a day from medium on, whose page has something of all.

    Raises
    ------
    TapewatchError
        The day has none.
    """
    client.indices.refresh(index=ANOMALIES_INDICES)
    severities = [str(one) for one in (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)]
    found = client.search(
        index=ANOMALIES_INDICES,
        size=0,
        query={
            "bool": {"filter": [{"range": {TIME_FIELD: _times(day)}}, {"terms": {"severity": severities}}]}
        },
        aggs={"symbols": {"terms": {"field": "symbol", "size": 1}}},
    )
    buckets = found["aggregations"]["symbols"]["buckets"]
    if not buckets:
        raise TapewatchError(f"{day} has no anomaly from medium on.", "Generate days of more trades.")
    return str(buckets[0]["key"])


def keep_alone(client: Elasticsearch, day: dt.date) -> None:
    """Delete all trades and anomalies but those of a day, which is in New York what it is in UTC."""
    kept = f"{TRADES_INDEX_PREFIX}{day:%Y.%m.%d}"
    for name in client.indices.get(index=TRADES_INDICES):
        if name != kept:
            client.indices.delete(index=name)
    # By document, as indices of anomalies are of months. The embedded node has no `_delete_by_query`.
    others = {"query": {"bool": {"must_not": [{"range": {TIME_FIELD: _times(day)}}]}}, "_source": False}
    found = scan(client, index=ANOMALIES_INDICES, query=others, size=SCANNED)
    actions = ({"_op_type": "delete", "_index": one["_index"], "_id": one["_id"]} for one in found)
    bulk(client, actions, chunk_size=SCANNED)


def _times(day: dt.date) -> dict[str, str]:
    """Return the condition that a time is of a day in New York."""
    return {"gte": str(day), "lt": f"{day}||+1d", "time_zone": TIME_ZONE}


def _await_merges(client: Elasticsearch) -> None:
    """Wait until no segments are merged, or for two minutes."""
    client.indices.refresh(index=BOTH)
    deadline_s = time.monotonic() + MERGED_WITHIN_S
    while time.monotonic() < deadline_s:
        if not client.indices.stats(metric="merge")["_all"]["total"]["merges"]["current"]:
            return
        time.sleep(0.5)


def _requests(client: Elasticsearch, dashboard_id: str) -> list[tuple[str, Request]]:
    """Return the indices and the request of each search that a dashboard makes."""
    objects = {(one["type"], one["id"]): one for one in all_objects(RECENT, None)}
    titles = {
        one["id"]: str(one["attributes"]["title"])
        for one in objects.values()
        if one["type"] == "index-pattern"
    }
    types = {view: _types(client, title) for view, title in titles.items()}
    requests = requests_of(objects["dashboard", dashboard_id], objects, types)
    return [(titles[request.view_id], request) for request in requests]


def _types(client: Elasticsearch, indices: str) -> dict[str, str]:
    """Return the types of the fields of indices, as Kibana asks for them."""
    found = client.field_caps(index=indices, fields="*", ignore_unavailable=True)["fields"]
    return {name: next(iter(kinds)) for name, kinds in found.items()}


def _asked_s(client: Elasticsearch, requests: list[tuple[str, Request]], symbol: str, day: dt.date) -> float:
    """Return the seconds until all requests were answered."""
    conditions: list[Mapping[str, Any]] = [
        {"range": {TIME_FIELD: _times(day)}},
        {"term": {"symbol": symbol}},
    ]
    client.indices.clear_cache(index=BOTH, request=True)
    began_s = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(partial(_ask, client, conditions), requests))
    return time.perf_counter() - began_s


def _ask(client: Elasticsearch, conditions: list[Mapping[str, Any]], asked: tuple[str, Request]) -> None:
    indices, request = asked
    query = {"bool": {"filter": [*conditions, request.condition]}}
    client.search(index=indices, query=query, **request.body)
