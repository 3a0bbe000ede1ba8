"""What Kibana asks Elasticsearch for its saved objects, in the shape that it has with fixed intervals."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.kibana.asking.kql import EVERYTHING, Query, parse
from infra.kibana.objects.saved_object import SavedObject

INTERVAL = "10m"
SCORE_STEP = 0.02
ROWS_OF_A_SEARCH = 500
"""As many as Kibana's Discover reads at first."""

FIRST_OFFERED = 10
"""So many values a control offers before somebody types."""

Types = Mapping[str, str]
"""Types of fields, by their names."""


@dataclass(frozen=True)
class Request:
    """One search.

    Parameters
    ----------
    view_id
        The data view whose indices it is about.
    condition
        Of the object itself, as an Elasticsearch query; the dashboard's own filters come on top.
    body
        All other arguments.
    """

    view_id: str
    condition: Mapping[str, Any]
    body: Mapping[str, Any]


def requests_of(
    dashboard: SavedObject, objects: Mapping[tuple[str, str], SavedObject], types: Mapping[str, Types]
) -> Iterator[Request]:
    """Yield what a dashboard asks when it opens: its charts with their marks, its searches, its controls.

    Parameters
    ----------
    dashboard
        The saved object.
    objects
        All objects by type and id.
    types
        Types of fields by data view.
    """
    for reference in dashboard["references"]:
        one = objects.get((reference["type"], reference["id"]), {})
        if "controlGroup_" in reference["name"]:
            field = reference["name"].partition(":")[0].rpartition("-")[2]
            offered = {"terms": {"field": field, "size": FIRST_OFFERED, "order": {"_key": "asc"}}}
            yield Request(
                reference["id"], EVERYTHING.as_filter({}), {"size": 0, "aggs": {"offered": offered}}
            )
        elif reference["type"] == "lens":
            view_id = view_of(one)
            aggs = aggregations(one, types[view_id])
            yield Request(view_id, EVERYTHING.as_filter({}), {"size": 0, "aggs": aggs})
            yield from _marks(one, types)
        elif reference["type"] == "search":
            yield _search(one, types)


def view_of(one: SavedObject) -> str:
    """Return the data view of a chart's numbers or of a search."""
    names = {"kibanaSavedObjectMeta.searchSourceJSON.index", "indexpattern-datasource-layer-main"}
    (found,) = (reference["id"] for reference in one["references"] if reference["name"] in names)
    return str(found)


def aggregations(chart: SavedObject, types: Types) -> dict[str, Any]:
    """Convert a chart's layer to an Elasticsearch query; rows of tables and series become nested buckets."""
    (layer,) = chart["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].values()
    columns = layer["columns"]
    inner: dict[str, Any] = {}
    for name, column in columns.items():
        if not column["isBucketed"]:
            condition = _kql(column.get("filter")).as_filter(types)
            inner[name] = {"filter": condition, "aggs": _measure(column)}
    for name in reversed(layer["columnOrder"]):
        if columns[name]["isBucketed"]:
            inner = {"bucket": _divide(columns[name]) | {"aggs": inner}}
    return inner


def _search(one: SavedObject, types: Mapping[str, Types]) -> Request:
    source = json.loads(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    body = {
        "size": ROWS_OF_A_SEARCH,
        "sort": [{field: direction} for field, direction in one["attributes"]["sort"]],
        "fields": ["*"],
        "track_total_hits": True,
    }
    view_id = view_of(one)
    return Request(view_id, _kql(source["query"]).as_filter(types[view_id]), body)


def _marks(chart: SavedObject, types: Mapping[str, Types]) -> Iterator[Request]:
    """Yield what asks for the documents that are marked on a chart: the first of each interval."""
    layers = chart["attributes"]["state"]["visualization"].get("layers", [])
    for layer in layers:
        views = [one["id"] for one in chart["references"] if one["name"].endswith(f"-{layer['layerId']}")]
        for mark in layer.get("annotations", []):
            first = {"first": {"top_hits": {"size": 1, "sort": [{mark["timeField"]: "asc"}]}}}
            buckets = {"date_histogram": {"field": mark["timeField"], "fixed_interval": INTERVAL}}
            body = {"size": 0, "aggs": {"bucket": buckets | {"aggs": first}}}
            yield Request(views[-1], _kql(mark["filter"]).as_filter(types[views[-1]]), body)


def _divide(column: Mapping[str, Any]) -> dict[str, Any]:
    field = column["sourceField"]
    match column["operationType"]:
        case "terms":
            return {"terms": {"field": field, "size": column["params"]["size"]}}
        case "date_histogram":
            return {"date_histogram": {"field": field, "fixed_interval": INTERVAL}}
        case "range":
            return {"histogram": {"field": field, "interval": SCORE_STEP}}
    raise ValueError(f"not known here: {column}")


def _measure(column: Mapping[str, Any]) -> dict[str, Any]:
    field = column["sourceField"]
    match column["operationType"]:
        case "count":
            return {}
        case "last_value":
            latest = [{column["params"]["sortField"]: "desc"}]
            return {"value": {"top_hits": {"size": 1, "sort": latest, "_source": [field]}}}
        case "unique_count":
            return {"value": {"cardinality": {"field": field}}}
        case "median" | "percentile":
            percent = column["params"].get("percentile", 50)
            return {"value": {"percentiles": {"field": field, "percents": [percent], "keyed": False}}}
    return {"value": {column["operationType"]: {"field": field}}}


def _kql(query: Mapping[str, str] | None) -> Query:
    return parse(query["query"]) if query else EVERYTHING
