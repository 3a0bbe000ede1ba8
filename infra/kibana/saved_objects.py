"""Builds saved objects in the format of Kibana 8.12, which later versions migrate at import."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SavedObject = dict[str, Any]
Reference = dict[str, str]
Column = dict[str, Any]

TIME_FIELD = "@timestamp"

_LAYER = "main"
_X, _SPLIT = "x", "split"
_QUERY_REF = "kibanaSavedObjectMeta.searchSourceJSON.index"
_NO_QUERY = {"query": "", "language": "kuery"}
_PAUSED = {"pause": True, "value": 60_000}


@dataclass(frozen=True)
class TimeRange:
    """Time range that a dashboard or a search opens with; ISO 8601, UTC."""

    start: str
    end: str


@dataclass(frozen=True)
class Panel:
    """A saved object on a dashboard.

    Parameters
    ----------
    shows
        A chart or a search.
    x, y, width, height
        Position and size on a grid of 48 columns and any number of rows.
    drilldown
        Menu entry and id of the dashboard that a click on the panel offers; None for no drilldown. The
        clicked value and the time range are passed on; other filters are not, because the other data view
        may lack their fields.
    """

    shows: SavedObject
    x: int
    y: int
    width: int
    height: int
    drilldown: tuple[str, str] | None = None


def data_view(view_id: str, name: str, pattern: str, formats: Mapping[str, Any]) -> SavedObject:
    """Return a data view; `formats` has a field format for each field that needs one."""
    attributes = {
        "title": pattern,
        "name": name,
        "timeFieldName": TIME_FIELD,
        "fieldFormatMap": _text(formats),
        "fieldAttrs": "{}",
        "fields": "[]",
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
        "typeMeta": "{}",
        "allowNoIndex": True,  # it may be imported before the first trade is indexed
    }
    return _saved("index-pattern", view_id, attributes, [], "8.0.0")


def number(pattern: str) -> dict[str, Any]:
    """Return a field format for numbers, by a pattern of numeral.js."""
    return {"id": "number", "params": {"pattern": pattern}}


def link(url: str) -> dict[str, Any]:
    """Return a field format that shows a value as a link; `{{value}}` in the URL is the value, encoded."""
    return {"id": "url", "params": {"type": "a", "urlTemplate": url, "labelTemplate": "{{value}}"}}


def search(
    search_id: str,
    title: str,
    view_id: str,
    columns: list[str],
    sort: str,
    times: TimeRange,
    *,
    query: str = "",
    only: tuple[str, str] | None = None,
    description: str = "",
) -> SavedObject:
    """Return a saved search.

    Parameters
    ----------
    sort
        Field to sort by, descending.
    query
        Query in KQL.
    only
        A field and a value, as a filter whose value the user can change.
    """
    references = [_reference("index-pattern", view_id, _QUERY_REF)]
    filters = []
    if only:
        field, value = only
        name = "kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index"
        references.append(_reference("index-pattern", view_id, name))
        filters.append(
            {
                "meta": {
                    "alias": None,
                    "disabled": False,
                    "negate": False,
                    "type": "phrase",
                    "key": field,
                    "field": field,
                    "params": {"query": value},
                    "indexRefName": name,
                },
                "query": {"match_phrase": {field: value}},
                "$state": {"store": "appState"},
            }
        )
    source = {"query": _kql(query), "filter": filters, "indexRefName": _QUERY_REF}
    attributes = {
        "title": title,
        "description": description,
        "columns": columns,
        "sort": [[sort, "desc"]],
        "grid": {},
        "hideChart": False,
        "isTextBasedQuery": False,
        "timeRestore": True,
        "timeRange": {"from": times.start, "to": times.end},
        "refreshInterval": _PAUSED,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
    }
    return _saved("search", search_id, attributes, references, "8.0.0")


def count(label: str, query: str = "", per: str | None = None) -> Column:
    """Return a column that counts the documents that match a KQL query, in total or `per` unit of time."""
    column = _metric("count", "___records___", label, query, {"emptyAsNull": True})
    return column | ({"timeScale": per} if per else {})


def metric(operation: str, field: str, label: str, query: str = "") -> Column:
    """Return a column with a field's `sum`, `min` or `max` over the documents that match a KQL query."""
    return _metric(operation, field, label, query, {"emptyAsNull": True})


def last_value(field: str, label: str) -> Column:
    """Return a column with a field's value in the latest document."""
    params = {"sortField": TIME_FIELD, "showArrayValues": False}
    return _metric("last_value", field, label, f'"{field}": *', params)


def histogram(field: str, label: str, bars: int) -> Column:
    """Return a column that divides a number's range into at most `bars` intervals of equal, round width."""
    return {
        **_named(label, "number", "range", field),
        "isBucketed": True,
        "scale": "interval",
        "params": {
            "type": "histogram",
            "ranges": [{"from": 0, "to": 1000, "label": ""}],
            "maxBars": bars,
            "includeEmptyRows": True,
        },
    }


def top_values(field: str, label: str, size: int, *, by: str | None = None, rest: bool = False) -> Column:
    """Return a column with a field's most frequent values.

    Parameters
    ----------
    size
        Number of values, at most.
    by
        Id of the layer's column to rank the values by; the number of documents by default.
    rest
        Whether to add all other values as one group.
    """
    if by:
        order: dict[str, Any] = {"orderBy": {"type": "column", "columnId": by}}
    else:
        order = {"orderBy": {"type": "custom"}, "orderAgg": count("Documents")}
    return {
        **_named(label, "string", "terms", field),
        "isBucketed": True,
        "scale": "ordinal",
        "params": {
            "size": size,
            **order,
            "orderDirection": "desc",
            "otherBucket": rest,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
            "include": [],
            "exclude": [],
            "includeIsRegex": False,
            "excludeIsRegex": False,
        },
    }


def big_number(chart_id: str, title: str, view_id: str, value: Column, color: str) -> SavedObject:
    """Return a chart of one number, with `color` as its background."""
    state = {"layerId": _LAYER, "layerType": "data", "metricAccessor": "m", "color": color}
    return _lens(chart_id, title, view_id, "lnsMetric", state, {"m": value})


def table(chart_id: str, title: str, view_id: str, rows: Column, values: Mapping[str, Column]) -> SavedObject:
    """Return a table with a row for each value of `rows`, and a column for each of `values`, keyed by id."""
    columns = {"rows": rows, **values}
    state = {
        "layerId": _LAYER,
        "layerType": "data",
        "columns": [{"columnId": name} for name in columns],
    }
    return _lens(chart_id, title, view_id, "lnsDatatable", state, columns)


def chart(
    chart_id: str,
    title: str,
    view_id: str,
    kind: str,
    values: Mapping[str, Column],
    *,
    unit: str,
    x: Column | None = None,
    split: Column | None = None,
    colors: Mapping[str, str] | None = None,
    style: Mapping[str, Any] | None = None,
    description: str = "",
) -> SavedObject:
    """Return a chart with two axes.

    Parameters
    ----------
    kind
        `line`, `bar`, `bar_stacked`, …
    values
        Series to draw, keyed by id, from the bottom up.
    unit
        Title of the vertical axis.
    x
        The horizontal axis; time by default.
    split
        Column with one series for each of its values.
    colors
        Colors, keyed by the ids of `values`; Kibana's default color for the others.
    style
        Additional state of the chart.
    """
    columns = {**({_SPLIT: split} if split else {}), _X: x or _over_time(), **values}
    layer = {
        "layerId": _LAYER,
        "layerType": "data",
        "accessors": list(values),
        "position": "top",
        "seriesType": kind,
        "showGridlines": False,
        "xAccessor": _X,
        **({"splitAccessor": _SPLIT} if split else {}),
        "yConfig": [{"forAccessor": name, "color": color} for name, color in (colors or {}).items()],
    }
    state = {
        "legend": {"isVisible": bool(split) or len(values) > 1, "position": "right"},
        "valueLabels": "hide",
        "preferredSeriesType": kind,
        "yTitle": unit,
        "axisTitlesVisibilitySettings": {"x": x is not None, "yLeft": True, "yRight": True},
        **(style or {}),
        "layers": [layer],
    }
    return _lens(chart_id, title, view_id, "lnsXY", state, columns, description)


def dashboard(
    dashboard_id: str,
    title: str,
    description: str,
    times: TimeRange,
    panels: Iterable[Panel],
    controls: Mapping[str, tuple[str, str]],
) -> SavedObject:
    """Return a dashboard.

    Parameters
    ----------
    controls
        For each field that has a control to filter by: the control's title and the data view's id.
    """
    shown, references = [], []
    for at, panel in enumerate(panels):
        name = f"p{at}"
        kept, kept_references = _panel(name, panel)
        shown.append(kept)
        references += kept_references
    chosen = {}
    for at, (field, (label, view_id)) in enumerate(controls.items()):
        chosen[field] = _control(at, field, label)
        references.append(_reference("index-pattern", view_id, f"controlGroup_{field}:optionsListDataView"))
    options = {
        "useMargins": True,
        "syncColors": False,
        "syncCursor": True,
        "syncTooltips": False,
        "hidePanelTitles": False,
    }
    parent_settings = ("ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations")
    attributes = {
        "title": title,
        "description": description,
        "panelsJSON": _text(shown),
        "optionsJSON": _text(options),
        "version": 1,
        "timeRestore": True,
        "timeFrom": times.start,
        "timeTo": times.end,
        "refreshInterval": _PAUSED,
        "controlGroupInput": {
            "controlStyle": "oneLine",
            "chainingSystem": "HIERARCHICAL",
            "panelsJSON": _text(chosen),
            "ignoreParentSettingsJSON": _text(dict.fromkeys(parent_settings, False)),
        },
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text({"query": _NO_QUERY, "filter": []})},
    }
    return _saved("dashboard", dashboard_id, attributes, references, "8.9.0")


def _panel(name: str, panel: Panel) -> tuple[dict[str, Any], list[Reference]]:
    kind = panel.shows["type"]
    references = [_reference(kind, panel.shows["id"], f"{name}:panel_{name}")]
    enhancements: dict[str, Any] = {}
    if panel.drilldown:
        entry, target = panel.drilldown
        factory = "DASHBOARD_TO_DASHBOARD_DRILLDOWN"
        event = f"{name}-drilldown"
        config = {"useCurrentFilters": False, "useCurrentDateRange": True, "openInNewTab": False}
        action = {"factoryId": factory, "name": entry, "config": config}
        events = [{"eventId": event, "triggers": ["FILTER_TRIGGER"], "action": action}]
        enhancements = {"dynamicActions": {"events": events}}
        references.append(_reference("dashboard", target, f"{name}:drilldown:{factory}:{event}:dashboardId"))
    kept = {
        "version": "8.12.2",
        "type": kind,
        "gridData": {"x": panel.x, "y": panel.y, "w": panel.width, "h": panel.height, "i": name},
        "panelIndex": name,
        "embeddableConfig": {"enhancements": enhancements},
        "panelRefName": f"panel_{name}",
    }
    return kept, references


def _control(order: int, field: str, label: str) -> dict[str, Any]:
    return {
        "type": "optionsListControl",
        "order": order,
        "width": "medium",
        "grow": True,
        "explicitInput": {
            "id": field,
            "fieldName": field,
            "title": label,
            "selectedOptions": [],
            "searchTechnique": "prefix",
            "sort": {"by": "_key", "direction": "asc"},
            "enhancements": {},
        },
    }


def _lens(
    chart_id: str,
    title: str,
    view_id: str,
    kind: str,
    visualization: Mapping[str, Any],
    columns: Mapping[str, Column],
    description: str = "",
) -> SavedObject:
    layer = {
        "columns": columns,
        "columnOrder": list(columns),
        "incompleteColumns": {},
        "sampling": 1,
    }
    attributes = {
        "title": title,
        "description": description,
        "visualizationType": kind,
        "state": {
            "visualization": visualization,
            "query": _NO_QUERY,
            "filters": [],
            "datasourceStates": {"formBased": {"layers": {_LAYER: layer}}},
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }
    reference = _reference("index-pattern", view_id, f"indexpattern-datasource-layer-{_LAYER}")
    return _saved("lens", chart_id, attributes, [reference], "8.9.0")


def _over_time() -> Column:
    return {
        "label": TIME_FIELD,
        "dataType": "date",
        "operationType": "date_histogram",
        "sourceField": TIME_FIELD,
        "isBucketed": True,
        "scale": "interval",
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def _metric(operation: str, field: str, label: str, query: str, params: Mapping[str, Any]) -> Column:
    return {
        **_named(label, "number", operation, field),
        "isBucketed": False,
        "scale": "ratio",
        "params": params,
        **({"filter": _kql(query)} if query else {}),
    }


def _named(label: str, data_type: str, operation: str, field: str) -> Column:
    return {
        "label": label,
        "customLabel": True,  # otherwise Kibana generates a label
        "dataType": data_type,
        "operationType": operation,
        "sourceField": field,
    }


def _saved(
    kind: str, object_id: str, attributes: dict[str, Any], references: list[Reference], version: str
) -> SavedObject:
    return {
        "id": object_id,
        "type": kind,
        "attributes": attributes,
        "references": references,
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": version,
    }


def _reference(kind: str, object_id: str, name: str) -> Reference:
    return {"type": kind, "id": object_id, "name": name}


def _kql(query: str) -> dict[str, str]:
    return {"query": query, "language": "kuery"}


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
