"""Panels: numbers, charts over time, maps of symbols by time, bars and tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.grafana.objects.queries import Json

Link = tuple[str, str]
"""What a link says, and where it leads."""


def numbers(title: str, query: Json, colors: Mapping[str, str]) -> Json:
    """Return the numbers of one row, each on its column's color; gray while it is 0."""
    return _panel(
        "stat",
        title,
        [query],
        {
            "colorMode": "background",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "horizontal",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "value_and_name",
            "wideLayout": True,
        },
        {"decimals": 0, "noValue": "0", "unit": "locale"},
        {
            name: [
                _property("color", {"mode": "thresholds"}),
                _property("thresholds", _thresholds([(0, NOTHING), (1e-9, color)])),
            ]
            for name, color in colors.items()
        },
    )


def chart(
    title: str,
    queries: Sequence[Json],
    *,
    unit: str,
    series: str = "",
    colors: Mapping[str, str] | None = None,
    is_stacked: bool = False,
    overrides: Mapping[str, list[Json]] | None = None,
    description: str = "",
) -> Json:
    """Return a chart over time.

    Parameters
    ----------
    unit
        Grafana's name of the unit.
    series
        How a series is named, such as `${__field.labels.symbol}`; by its column if empty.
    colors
        Colors by the names of series; Grafana chooses the others.
    is_stacked
        Bars on each other instead of lines.
    overrides
        What else is different for a series; names between slashes are regular expressions.
    """
    bars = {
        "drawStyle": "bars",
        "fillOpacity": 80,
        "lineWidth": 0,
        "stacking": {"group": "A", "mode": "normal"},
    }
    lines = {"drawStyle": "line", "fillOpacity": 0, "lineWidth": 1, "showPoints": "never", "spanNulls": True}
    defaults: Json = {"unit": unit, "custom": bars if is_stacked else lines}
    if series:
        defaults["displayName"] = series
    fixed = {name: [_fixed_color(color)] for name, color in (colors or {}).items()}
    return _panel(
        "timeseries",
        title,
        queries,
        {
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        defaults,
        fixed | dict(overrides or {}),
        description,
    )


def map_over_time(
    title: str,
    query: Json,
    *,
    series: str,
    colors: Sequence[tuple[float, str]],
    most_rows: int,
    links: Sequence[Link],
    description: str = "",
) -> Json:
    """Return a row of cells for each series, colored by their numbers; `colors` has where each begins."""
    return _panel(
        "status-history",
        title,
        [query],
        {
            "colWidth": 1.0,
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
            "perPage": most_rows,
            "rowHeight": 0.9,
            "showValue": "never",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        {
            "color": {"mode": "thresholds"},
            "custom": {"fillOpacity": 100, "lineWidth": 0},
            "decimals": 3,
            "displayName": series,
            "links": [_link(*link) for link in links],
            "thresholds": _thresholds(colors),
        },
        {},
        description,
    )


def bars(
    title: str, query: Json, *, rows: str, colors: Mapping[str, str], links: Sequence[Link] = ()
) -> Json:
    """Return stacked bars, one for each row of a query.

    Parameters
    ----------
    rows
        The column that names the bars.
    colors
        The columns that are stacked, with their colors.
    """
    return _panel(
        "barchart",
        title,
        [query],
        {
            "barRadius": 0,
            "barWidth": 0.8,
            "fullHighlight": False,
            "groupWidth": 0.7,
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "orientation": "horizontal",
            "showValue": "never",
            "stacking": "normal",
            "tooltip": {"mode": "multi", "sort": "none"},
            "xField": rows,
            "xTickLabelMaxLength": 20,
            "xTickLabelRotation": 0,
            "xTickLabelSpacing": 0,
        },
        {"custom": {"fillOpacity": 80, "lineWidth": 0}, "links": [_link(*link) for link in links]},
        {name: [_fixed_color(color)] for name, color in colors.items()},
    )


def table(
    title: str,
    query: Json,
    *,
    columns: Mapping[str, int],
    links: Mapping[str, Link] | None = None,
    colors: Mapping[str, Mapping[str, str]] | None = None,
    decimals: Mapping[str, int] | None = None,
    description: str = "",
) -> Json:
    """Return a table.

    Parameters
    ----------
    columns
        Widths in pixels of columns; 0 takes what is left.
    links
        By column, where its cells lead.
    colors
        By column, the colors of its values.
    decimals
        By column, how many decimals its numbers have.
    """
    overrides: dict[str, list[Json]] = {
        name: [_property("custom.width", width)] if width else [_property("custom.cellOptions", _WRAPPED)]
        for name, width in columns.items()
    }
    for name, link in (links or {}).items():
        overrides[name].append(_property("links", [_link(*link)]))
    for name, by_value in (colors or {}).items():
        options = {value: {"color": color, "index": at} for at, (value, color) in enumerate(by_value.items())}
        overrides[name] += [
            _property("custom.cellOptions", {"type": "color-text"}),
            _property("mappings", [{"type": "value", "options": options}]),
        ]
    for name, count in (decimals or {}).items():
        overrides[name].append(_property("decimals", count))
    return _panel(
        "table",
        title,
        [query],
        {"cellHeight": "sm", "frameIndex": 0, "showHeader": True},
        {"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}},
        overrides,
        description,
    )


NOTHING = "#75889c"
"""Color of a number that is 0."""

_WRAPPED = {"type": "auto", "wrapText": True}


def as_points(color: str) -> list[Json]:
    """Return what draws a series as points of a color on a chart of lines."""
    return [
        _fixed_color(color),
        _property("custom.drawStyle", "points"),
        _property("custom.showPoints", "always"),
        _property("custom.pointSize", 9),
    ]


def as_dashes() -> list[Json]:
    """Return what draws a series as a dashed line."""
    return [_property("custom.lineStyle", {"dash": [6, 4], "fill": "dash"})]


def _panel(
    kind: str,
    title: str,
    queries: Sequence[Json],
    options: Json,
    defaults: Json,
    overrides: Mapping[str, list[Json]],
    description: str = "",
) -> Json:
    return {
        "type": kind,
        "title": title,
        **({"description": description} if description else {}),
        "datasource": queries[0]["datasource"],
        "targets": list(queries),
        "options": options,
        "fieldConfig": {
            "defaults": defaults,
            "overrides": [
                {"matcher": _matcher(name), "properties": properties}
                for name, properties in overrides.items()
            ],
        },
    }


def _matcher(name: str) -> Json:
    return {"id": "byRegexp" if name.startswith("/") else "byName", "options": name}


def _property(name: str, value: Any) -> Json:  # noqa: ANN401 - each has a type of its own
    return {"id": name, "value": value}


def _fixed_color(color: str) -> Json:
    return _property("color", {"fixedColor": color, "mode": "fixed"})


def _thresholds(colors: Sequence[tuple[float, str]]) -> Json:
    """Return colors by where they begin; the first one counts below, too."""
    steps = [{"color": color, "value": start if at else None} for at, (start, color) in enumerate(colors)]
    return {"mode": "absolute", "steps": steps}


def _link(title: str, url: str) -> Json:
    return {"title": title, "url": url, "targetBlank": not url.startswith("/")}
