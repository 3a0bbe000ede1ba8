"""Runs each panel's query against Elasticsearch, and compares the result with the documents themselves."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from elasticsearch import Elasticsearch, helpers

from infra.embedded.stack import EmbeddedStack
from infra.kibana.generate import generated_day
from infra.setup.templates import set_up_templates
from services.common.elastic.client import new_client
from services.contracts.indices import ANOMALIES_DATA_VIEW as ANOMALIES
from services.contracts.indices import CORRECTIONS_DATA_VIEW as CORRECTIONS
from services.contracts.indices import FEED_EVENTS_DATA_VIEW as FEED_EVENTS
from services.contracts.indices import TRADES_DATA_VIEW as TRADES
from services.detector.offline.backtest.run import run_backtest
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.unit.infra.kibana.objects import (
    CHARTS,
    DASHBOARDS,
    DATA_VIEWS,
    SEARCHES,
    Saved,
    controls,
    kql,
    layer,
    search_source,
    view_id,
)

INDICES = {
    TRADES: "trades-kibana-test",
    ANOMALIES: "anomalies-kibana-test",
    CORRECTIONS: "corrections-kibana-test",
    FEED_EVENTS: "feed-events-kibana-test",
}
MANY = 10_000
SCORE_STEP = 0.02
INTERVAL = "10m"


@dataclass(frozen=True)
class Day:
    """A generated day, indexed."""

    client: Elasticsearch
    documents: dict[str, list[dict[str, Any]]]
    """By the data view that shows them."""


@pytest.fixture(scope="module")
def day(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """A generated day of five symbols under the real templates, in indices that the data views have."""
    folder = tmp_path_factory.mktemp("kibana")
    path, output = folder / "day.csv", folder / "anomalies.ndjson"
    write_day(DayConfig(trades=30_000), path, folder / "labels.csv")
    run_backtest(open_sources([str(path)]), output, None)
    found = {TRADES: trades_of(path), ANOMALIES: [orjson.loads(line) for line in output.open("rb")]}
    with new_client(stack.elasticsearch_url) as client:
        set_up_templates(client)
        actions = (
            {"_index": INDICES[view], "_id": one["trade_id"], "_source": one}
            for view, documents in found.items()
            for one in documents
        )
        helpers.bulk(client, actions, refresh=True)
        for view in INDICES.keys() - found.keys():
            client.indices.create(index=INDICES[view])
        yield Day(client, found)
        client.indices.delete(index=list(INDICES.values()))


def trades_of(path: Path) -> list[dict[str, Any]]:
    (source,) = open_sources([str(path)])
    return [orjson.loads(value) for chunk in source.chunks() for value in source.to_json(chunk.trades)]


def ids(one: Saved) -> str:
    return str(one["id"])


def ask(day: Day, view: str, conditions: list[dict[str, Any]], **request: Any) -> dict[str, Any]:
    """Run a search over the data of a panel, in its dashboard's time range."""
    times = generated_day()
    within = {"range": {"@timestamp": {"gte": times.start, "lte": times.end}}}
    query = {"bool": {"filter": [within, *conditions]}}
    answer: dict[str, Any] = day.client.search(index=INDICES[view], query=query, **request).body
    return answer


def aggregations(chart: Saved) -> dict[str, Any]:
    """Convert a chart's layer to an Elasticsearch query; rows of tables and series become nested buckets."""
    columns = layer(chart)["columns"]
    inner: dict[str, Any] = {}
    for name, column in columns.items():
        if not column["isBucketed"]:
            conditions = [query.as_filter() for query in kql(column.get("filter"))]
            inner[name] = {"filter": {"bool": {"filter": conditions}}, "aggs": measure(column)}
    for name in reversed(layer(chart)["columnOrder"]):
        if columns[name]["isBucketed"]:
            inner = {"bucket": divide(columns[name]) | {"aggs": inner}}
    return inner


def divide(column: dict[str, Any]) -> dict[str, Any]:
    field = column["sourceField"]
    match column["operationType"]:
        case "terms":
            return {"terms": {"field": field, "size": column["params"]["size"]}}
        case "date_histogram":
            return {"date_histogram": {"field": field, "fixed_interval": INTERVAL}}
        case "range":
            return {"histogram": {"field": field, "interval": SCORE_STEP}}
    raise AssertionError(column)


def measure(column: dict[str, Any]) -> dict[str, Any]:
    field = column["sourceField"]
    match column["operationType"]:
        case "count":
            return {}
        case "last_value":
            latest = [{column["params"]["sortField"]: "desc"}]
            return {"value": {"top_hits": {"size": 1, "sort": latest, "_source": [field]}}}
    return {"value": {column["operationType"]: {"field": field}}}


def cells(found: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield column and value of each cell of a chart."""
    for name, one in found.items():
        if name == "bucket":
            for bucket in one["buckets"]:
                yield from cells({k: v for k, v in bucket.items() if isinstance(v, dict)})
        elif not one["doc_count"]:
            continue
        elif "value" not in one:
            yield name, one["doc_count"]
        elif "hits" in one["value"]:
            yield name, next(iter(one["value"]["hits"]["hits"][0]["_source"].values()))
        else:
            yield name, one["value"]["value"]


def test_data_views_have_the_indices(day: Day) -> None:
    for view in DATA_VIEWS:
        found = day.client.indices.resolve_index(name=view["attributes"]["title"])
        assert INDICES[view["id"]] in {one["name"] for one in found["indices"]}


def test_whole_day_is_within_the_dashboards_times(day: Day) -> None:
    for view, documents in day.documents.items():
        assert ask(day, view, [], track_total_hits=True)["hits"]["total"]["value"] == len(documents) > 0


@pytest.mark.parametrize("chart", CHARTS, ids=ids)
def test_each_number_of_a_chart_is_there_and_right(day: Day, chart: Saved) -> None:
    view, columns = view_id(chart), layer(chart)["columns"]
    found = list(cells(ask(day, view, [], size=0, aggs=aggregations(chart))["aggregations"]))
    numbers = {name: [value for key, value in found if key == name] for name in columns}
    for name, column in columns.items():
        if column["isBucketed"]:
            continue
        assert numbers[name], f"{name} shows nothing"
        queries = kql(column.get("filter"))
        fitting = [one for one in day.documents[view] if all(query.fits(one) for query in queries)]
        assert_right(column, numbers[name], fitting, columns)


def assert_right(
    column: dict[str, Any], shown: list[float], fitting: list[dict[str, Any]], columns: dict[str, Any]
) -> None:
    """Compare all cells of a column together with the documents that match it."""
    field = column["sourceField"]
    match column["operationType"]:
        case "count":
            # A document with several values of a field counts under each.
            several = [one["sourceField"] for one in columns.values() if one["sourceField"] == "anomalies"]
            weights = [len(one[several[0]]) if several else 1 for one in fitting]
            assert sum(shown) == sum(weights)
        case "sum":
            assert sum(shown) == sum(one[field] for one in fitting)
        case "min":
            assert min(shown) == min(one[field] for one in fitting)
        case "max":
            assert max(shown) == max(one[field] for one in fitting)
        case "last_value":
            assert set(shown) <= {one[field] for one in fitting}
        case other:
            raise AssertionError(other)


def test_last_price_of_each_symbol_is_its_last_trade(day: Day) -> None:
    (chart,) = (one for one in CHARTS if one["id"] == "tapewatch-symbols")
    found = ask(day, TRADES, [], size=0, aggs=aggregations(chart))["aggregations"]
    last = {
        one["symbol"]: one["price"]
        for one in sorted(day.documents[TRADES], key=lambda one: one["@timestamp"])
    }
    assert len(last) == DayConfig().symbols
    shown = {
        bucket["key"]: bucket["last"]["value"]["hits"]["hits"][0]["_source"]["price"]
        for bucket in found["bucket"]["buckets"]
    }
    assert shown == last


@pytest.mark.parametrize("search", SEARCHES, ids=ids)
def test_search_finds_what_it_promises_in_its_order(day: Day, search: Saved) -> None:
    view, source = view_id(search), search_source(search)
    queries = kql(source["query"])
    chosen = {one["meta"]["key"]: one["meta"]["params"]["query"] for one in source["filter"]}
    conditions = [query.as_filter() for query in queries] + [one["query"] for one in source["filter"]]
    ((field, direction),) = search["attributes"]["sort"]
    found = ask(day, view, conditions, size=MANY, sort=[{field: direction}], track_total_hits=True)["hits"]
    wanted = [
        one
        for one in day.documents[view]
        if all(query.fits(one) for query in queries) and chosen.items() <= one.items()
    ]
    assert found["total"]["value"] == len(wanted) > 0
    shown = [one["_source"][field] for one in found["hits"]]
    assert shown == sorted((one[field] for one in wanted), reverse=True)[:MANY]


@pytest.mark.parametrize("search", SEARCHES, ids=ids)
def test_columns_of_a_search_are_filled(day: Day, search: Saved) -> None:
    columns = search["attributes"]["columns"]
    hit = ask(day, view_id(search), [], size=1, fields=columns)["hits"]["hits"][0]
    assert all(hit["fields"][name][0] != "" for name in columns)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=ids)
def test_controls_offer_all_there_is(day: Day, dashboard: Saved) -> None:
    for view, field in controls(dashboard):
        aggs = {"offered": {"terms": {"field": field, "size": 100}}}
        found = ask(day, view, [], size=0, aggs=aggs)["aggregations"]["offered"]["buckets"]
        values = (one[field] for one in day.documents[view])
        there = {one for value in values for one in (value if isinstance(value, list) else [value])}
        assert {bucket["key"] for bucket in found} == there


def test_link_of_every_anomaly_leads_to_a_trade(day: Day) -> None:
    wanted = [one["trade_id"] for one in day.documents[ANOMALIES]]
    found = day.client.count(index=INDICES[TRADES], query={"ids": {"values": wanted}})
    assert found["count"] == len(wanted)


def test_scores_fill_several_bars(day: Day) -> None:
    steps = {math.floor(one["score"] / SCORE_STEP) for one in day.documents[ANOMALIES]}
    assert len(steps) > 2
