"""Charts and tables, as Kibana's Lens keeps them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.kibana.objects.columns import Column, over_time
from infra.kibana.objects.saved_object import SavedObject, kql, reference, saved

_LAYER, _MARKS = "main", "marks"
_X, _SPLIT = "x", "split"


@dataclass(frozen=True)
class Marks:
    """Documents of another data view, marked at their times along a chart's upper edge.

    Parameters
    ----------
    view_id
        Their data view.
    fields
        What is said of them beside their time.
    queries
        Name to a query in KQL and a color: one kind of mark each.
    """

    view_id: str
    fields: Sequence[str]
    queries: Mapping[str, tuple[str, str]]


def big_number(
    chart_id: str, title: str, view_id: str, value: Column, color: str, *, color_of_none: str | None = None
) -> SavedObject:
    """Return a chart of one number on a color; with `color_of_none`, on that while the number is 0."""
    state: dict[str, Any] = {
        "layerId": _LAYER,
        "layerType": "data",
        "metricAccessor": "m",
        "color": color,
    }
    if color_of_none:
        state["palette"] = _palette([(0, color_of_none), (1, color)])
    return _lens(chart_id, title, view_id, "lnsMetric", state, {"m": value})


def table(
    chart_id: str,
    title: str,
    view_id: str,
    rows: Column,
    values: Mapping[str, Column],
    description: str = "",
) -> SavedObject:
    """Return a table with a row for each value of `rows`, and a column for each of `values`, keyed by id."""
    columns = {"rows": rows, **values}
    state = {
        "layerId": _LAYER,
        "layerType": "data",
        "columns": [
            # Wide enough for its heading.
            {"columnId": name, "width": 45 + 8 * max(len(column["label"]), 8)}
            for name, column in columns.items()
        ],
    }
    return _lens(chart_id, title, view_id, "lnsDatatable", state, columns, description)


def heat_map(
    chart_id: str,
    title: str,
    view_id: str,
    rows: Column,
    value: Column,
    colors: Sequence[tuple[float, str]],
    description: str = "",
) -> SavedObject:
    """Return a map of `rows` by time, colored by a number; `colors` has where each color begins."""
    state = {
        "shape": "heatmap",
        "layerId": _LAYER,
        "layerType": "data",
        "xAccessor": _X,
        "yAccessor": _SPLIT,
        "valueAccessor": "value",
        "legend": {"isVisible": True, "position": "right", "type": "heatmap_legend"},
        "gridConfig": {
            "type": "heatmap_grid",
            "isCellLabelVisible": False,
            "isYAxisLabelVisible": True,
            "isXAxisLabelVisible": True,
            "isYAxisTitleVisible": False,
            "isXAxisTitleVisible": False,
        },
        "palette": _palette(colors) | {"accessor": "value"},
    }
    columns = {_SPLIT: rows, _X: over_time(), "value": value}
    return _lens(chart_id, title, view_id, "lnsHeatmap", state, columns, description)


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
    marks: Marks | None = None,
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
        Column with one series for each of its values. A click on one of them filters by it.
    colors
        Colors, keyed by the values of `split`, or else by the ids of `values`; Kibana chooses the others.
    style
        Additional state of the chart.
    marks
        What else is marked.
    """
    columns = {**({_SPLIT: split} if split else {}), _X: x or over_time(), **values}
    by_id = colors if colors and not split else {}
    layer = {
        "layerId": _LAYER,
        "layerType": "data",
        "accessors": list(values),
        "position": "top",
        "seriesType": kind,
        "showGridlines": False,
        "xAccessor": _X,
        **({"splitAccessor": _SPLIT} if split else {}),
        **({"colorMapping": _color_mapping(colors)} if split and colors else {}),
        "yConfig": [{"forAccessor": name, "color": color} for name, color in by_id.items()],
    }
    state = {
        "legend": {
            "isVisible": bool(split) or len(values) > 1,
            "position": "right",
            "shouldTruncate": False,
            "legendSize": "large",
        },
        "valueLabels": "hide",
        "preferredSeriesType": kind,
        "yTitle": unit,
        "axisTitlesVisibilitySettings": {"x": x is not None, "yLeft": True, "yRight": True},
        **(style or {}),
        "layers": [layer, *([_annotations(marks)] if marks else [])],
    }
    one = _lens(chart_id, title, view_id, "lnsXY", state, columns, description)
    if marks:
        one["references"].append(
            reference("index-pattern", marks.view_id, f"xy-visualization-layer-{_MARKS}")
        )
    return one


def _annotations(marks: Marks) -> dict[str, Any]:
    found = [
        {
            "id": f"mark-{name}",
            "label": name,
            "type": "query",
            "key": {"type": "point_in_time"},
            "timeField": "@timestamp",
            "textVisibility": False,
            "extraFields": list(marks.fields),
            "filter": {"type": "kibana_query", **kql(query)},
            "color": color,
            "icon": "triangle",
            "lineWidth": 1,
            "lineStyle": "solid",
            "isHidden": False,
        }
        for name, (query, color) in marks.queries.items()
    ]
    return {
        "layerId": _MARKS,
        "layerType": "annotations",
        "annotations": found,
        "ignoreGlobalFilters": False,
        "persistanceType": "byValue",  # Kibana's own spelling
    }


def _color_mapping(colors: Mapping[str, str]) -> dict[str, Any]:
    assignments = [
        {
            "rule": {"type": "matchExactly", "values": [value]},
            "color": {"type": "colorCode", "colorCode": color},
            "touched": False,
        }
        for value, color in colors.items()
    ]
    return {
        "assignments": assignments,
        "specialAssignments": [{"rule": {"type": "other"}, "color": {"type": "loop"}, "touched": False}],
        "paletteId": "eui_amsterdam_color_blind",
        "colorMode": {"type": "categorical"},
    }


def _palette(colors: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Return a palette of numbers; a color counts from its beginning to the next one's."""
    starts = [start for start, _ in colors]
    ends = [*starts[1:], starts[-1] + 1]
    params = {
        "name": "custom",
        "steps": len(colors),
        "maxSteps": 5,
        "reverse": False,
        "rangeType": "number",
        "rangeMin": starts[0],
        "rangeMax": None,
        "progression": "fixed",
        "continuity": "above",
        "colorStops": [{"color": color, "stop": start} for start, color in colors],
        "stops": [{"color": color, "stop": end} for end, (_, color) in zip(ends, colors, strict=True)],
    }
    return {"type": "palette", "name": "custom", "params": params}


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
            "query": kql(""),
            "filters": [],
            "datasourceStates": {"formBased": {"layers": {_LAYER: layer}}},
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }
    view = reference("index-pattern", view_id, f"indexpattern-datasource-layer-{_LAYER}")
    return saved("lens", chart_id, attributes, [view], "8.9.0")
