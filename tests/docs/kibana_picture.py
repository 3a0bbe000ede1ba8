"""`python -m tests.docs.kibana_picture` draws Kibana's dashboards from a generated day, for docs/kibana.md.

Panels, titles, places and colors are those of the saved objects, numbers those of the documents. It is no
screenshot.
"""

import datetime as dt
import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from infra.kibana.asking.kql import parse
from infra.kibana.objects.search import ROW_LINES
from services.contracts.indices import ANOMALIES_DATA_VIEW, TRADES_DATA_VIEW
from services.contracts.trade import SIDE_WORDS
from services.detector.offline.backtest.run import run_backtest
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.docs import svg
from tests.docs.pages import ROOT
from tests.unit.infra.kibana.objects import BY_KEY, Saved, kql, layer, panels, search_source, view_id

TRADES = 60_000
COLUMN_PX, ROW_PX, GAP_PX = 30, 21, 4
INTERVAL_S = 600
_LOOP = ("#54b399", "#6092c0", "#d36086", "#9170b8", "#ca8eae", "#d6bf57")

Documents = dict[str, list[dict[str, Any]]]
Series = dict[str, dict[float, float]]
"""Value by series and interval."""


def main() -> None:
    """Draw the two dashboards that have something to show of a day without a feed."""
    documents = generated_documents()
    for name in ("market", "anomalies"):
        dashboard = BY_KEY["dashboard", f"tapewatch-{name}-dashboard"]
        (ROOT / "docs" / "images" / f"kibana-{name}.svg").write_text(picture(dashboard, documents))


def generated_documents() -> Documents:
    """Return the trades and anomalies of a generated day, by data view."""
    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "day.csv", Path(folder) / "anomalies.ndjson"
        write_day(DayConfig(trades=TRADES), path, Path(folder) / "labels.csv")
        run_backtest(open_sources([str(path)]), output, None)
        (source,) = open_sources([str(path)])
        trades = [orjson.loads(one) for chunk in source.chunks() for one in source.to_json(chunk.trades)]
        anomalies = [orjson.loads(line) for line in output.open("rb")]
    return {TRADES_DATA_VIEW: trades, ANOMALIES_DATA_VIEW: anomalies}


def picture(dashboard: Saved, documents: Documents) -> str:
    """Return a dashboard as SVG."""
    shown = {one["name"]: (one["type"], one["id"]) for one in dashboard["references"]}
    parts, bottom = [], 0
    for panel in panels(dashboard):
        one = BY_KEY[shown[f"{panel['panelIndex']}:{panel['panelRefName']}"]]
        place = panel["gridData"]
        left, top = place["x"] * COLUMN_PX, place["y"] * ROW_PX
        width, height = place["w"] * COLUMN_PX - GAP_PX, place["h"] * ROW_PX - GAP_PX
        bottom = max(bottom, top + height)
        title = panel.get("title", "")
        inner = "".join(_drawn(one, documents, width, height, has_title=bool(title)))
        parts.append(
            f'<g transform="translate({left + GAP_PX},{top + GAP_PX})">'
            f'<rect width="{width}" height="{height}" rx="4" fill="#fff" stroke="#d3dae6"/>'
            f"{svg.text(10, 17, title, 'bold')}{inner}</g>"
        )
    width = 48 * COLUMN_PX + GAP_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom + 2 * GAP_PX}" '
        'font-family="sans-serif" font-size="11" fill="#343741">'
        f'<rect width="100%" height="100%" fill="#f7f8fc"/>{"".join(parts)}</svg>\n'
    )


def _drawn(one: Saved, documents: Documents, width: int, height: int, *, has_title: bool) -> Iterator[str]:
    if one["type"] == "links":
        labels = [link["label"] for link in one["attributes"]["links"]]
        yield svg.text(12, 40, "   ·   ".join(labels), color="#006bb8")
        return
    found = documents[view_id(one)]
    top = 28 if has_title else 6
    if one["type"] == "search":
        fields = [(name, column["width"]) for name, column in _columns(one).items()]
        ((field, _),) = one["attributes"]["sort"]
        query = kql(search_source(one)["query"])
        rows = sorted((row for row in found if query.fits(row)), key=lambda row: row[field], reverse=True)
        heads = [(str(name), px) for name, px in fields]
        yield from svg.table(heads, _texts(rows, fields), width, height, top, ROW_LINES)
        return
    match one["attributes"]["visualizationType"]:
        case "lnsMetric":
            yield from _tile(one, found, width, height)
        case "lnsDatatable":
            yield from _table(one, found, width, height, top)
        case "lnsHeatmap":
            yield from _heat_map(one, found, width, height, top)
        case "lnsXY":
            yield from _chart(one, documents, width, height, top)


def _tile(one: Saved, found: list[dict[str, Any]], width: int, height: int) -> Iterator[str]:
    (column,) = layer(one)["columns"].values()
    value = _measured(column, found)
    state = one["attributes"]["state"]["visualization"]
    color = state["color"]
    if "palette" in state and not value:
        color = state["palette"]["params"]["colorStops"][0]["color"]
    yield f'<rect width="{width}" height="{height}" rx="4" fill="{color}"/>'
    yield svg.text(12, 22, column["label"], color="#fff")
    yield (
        f'<text x="{width - 14}" y="{height - 18}" text-anchor="end" font-size="32" fill="#fff">'
        f"{value:,.0f}</text>"
    )


def _table(one: Saved, found: list[dict[str, Any]], width: int, height: int, top: int) -> Iterator[str]:
    columns = layer(one)["columns"]
    by_row: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for document in found:
        by_row[document[columns["rows"]["sourceField"]]].append(document)
    widths = [each["width"] for each in one["attributes"]["state"]["visualization"]["columns"]]
    heads = list(zip([column["label"] for column in columns.values()], widths, strict=True))
    rows = [
        [name, *(f"{_measured(column, inner):,.10g}" for key, column in columns.items() if key != "rows")]
        for name, inner in sorted(by_row.items(), key=lambda item: -len(item[1]))
    ]
    yield from svg.table(heads, rows, width, height, top, ROW_LINES)


def _heat_map(one: Saved, found: list[dict[str, Any]], width: int, height: int, top: int) -> Iterator[str]:
    stops = one["attributes"]["state"]["visualization"]["palette"]["params"]["colorStops"]
    series = _series(layer(one)["columns"], found)
    low, high = _range(found)
    names = sorted(series, key=lambda name: -len(series[name]))
    row = (height - top - 20) / len(names)
    scale = (width - 70) / (high - low)
    for at, name in enumerate(names):
        y = top + at * row
        yield svg.text(8, y + row / 2 + 4, name)
        for x, value in series[name].items():
            color = [stop["color"] for stop in stops if stop["stop"] <= value][-1]
            yield svg.box(60 + (x - low) * scale, y + 1, INTERVAL_S * scale - 1, row - 2, color)
    yield from svg.hours(low, high, 60, scale, height)


def _chart(one: Saved, documents: Documents, width: int, height: int, top: int) -> Iterator[str]:
    found, columns = documents[view_id(one)], layer(one)["columns"]
    state = one["attributes"]["state"]["visualization"]
    drawn, *marks = state["layers"]
    series = _series(columns, found)
    colors = _colors(drawn, columns, series)
    is_time = columns["x"]["operationType"] == "date_histogram"
    low, high = _range(found) if is_time else (0.0, 1.0)
    step = INTERVAL_S if is_time else 0.05
    left, legend = 62, 150 if len(series) > 1 else 20
    scale = (width - left - legend) / (high - low)
    is_line = drawn["seriesType"] == "line"
    tall = height - top - 22
    values = [value for one_series in series.values() for value in one_series.values()]
    stacks: dict[float, float] = defaultdict(float)
    for one_series in series.values():
        for x, value in one_series.items():
            stacks[x] += value
    shown: Callable[[float], float] = math.log if state.get("yLeftScale") == "log" else float
    bottom, peak = (min(values), max(values)) if is_line else (0.0, max(stacks.values()))

    def y_of(value: float) -> float:
        return top + tall - tall * (shown(value) - shown(bottom)) / (shown(peak) - shown(bottom) or 1)

    for value in (bottom, peak):
        yield svg.text(6, y_of(value) + 4, f"{value:,.10g}")
    base: dict[float, float] = defaultdict(float)
    for at, (name, points) in enumerate(series.items()):
        if is_line:
            path = " ".join(
                f"{left + (x - low) * scale:.1f},{y_of(value):.1f}" for x, value in points.items()
            )
            yield f'<polyline points="{path}" fill="none" stroke="{colors[name]}" stroke-width="1.5"/>'
        else:
            for x, value in points.items():
                y = y_of(base[x] + value)
                yield svg.box(left + (x - low) * scale, y, step * scale - 1, y_of(base[x]) - y, colors[name])
                base[x] += value
        if len(series) > 1:
            yield svg.box(width - legend + 8, top + 16 * at, 9, 9, colors[name])
            yield svg.text(width - legend + 22, top + 9 + 16 * at, SIDE_WORDS.get(name, name))
    for mark in [mark for one_layer in marks for mark in one_layer["annotations"]]:
        query = parse(mark["filter"]["query"])
        for anomaly in documents[ANOMALIES_DATA_VIEW]:
            if query.fits(anomaly):
                x = left + (_seconds(anomaly) - low) * scale
                yield f'<path d="M{x:.1f},{top}v{tall}" stroke="{mark["color"]}" stroke-width="0.5"/>'
                yield f'<path d="M{x:.1f},{top - 7}l4,7h-8z" fill="{mark["color"]}"/>'
    if is_time:
        yield from svg.hours(low, high, left, scale, height)
    else:
        for tenth in range(0, 11, 2):
            yield svg.text(left + tenth / 10 * scale, height - 7, f"{tenth / 10}")


def _series(columns: dict[str, Any], found: list[dict[str, Any]]) -> Series:
    """Return the values of a chart's one measure."""
    (value,) = (column for column in columns.values() if not column["isBucketed"])
    cells: dict[tuple[str, float], list[dict[str, Any]]] = defaultdict(list)
    for one in found:
        names = one[columns["split"]["sourceField"]] if "split" in columns else ""
        if columns["x"]["operationType"] == "date_histogram":
            x = _seconds(one) // INTERVAL_S * INTERVAL_S
        else:
            x = math.floor(one["score"] * 20) / 20
        for name in names if isinstance(names, list) else [names]:
            cells[name, x].append(one)
    series: Series = defaultdict(dict)
    for (name, x), inner in sorted(cells.items(), key=lambda item: item[0][1]):
        measured = _measured(value, inner)
        if measured:
            series[name][x] = measured
    most = columns.get("split", {}).get("params", {}).get("size", 1)
    return dict(sorted(series.items(), key=lambda item: -len(item[1]))[:most])


def _measured(column: dict[str, Any], found: list[dict[str, Any]]) -> float:
    query, field = kql(column.get("filter")), column["sourceField"]
    fitting = [one for one in found if query.fits(one)]
    match column["operationType"]:
        case "count":
            minutes = INTERVAL_S / 60 if "timeScale" in column else 1
            return len(fitting) / minutes
        case "sum":
            return float(sum(one[field] for one in fitting))
        case "last_value":
            return float(max(fitting, key=lambda one: str(one["@timestamp"]))[field])
        case "min":
            return float(min(one[field] for one in fitting))
    return float(max((one[field] for one in fitting), default=0))


def _colors(drawn: dict[str, Any], columns: dict[str, Any], series: Series) -> dict[str, str]:
    assigned = {
        value: one["color"]["colorCode"]
        for one in drawn.get("colorMapping", {}).get("assignments", [])
        for value in one["rule"]["values"]
    }
    if "split" not in columns:
        return dict.fromkeys(series, drawn["yConfig"][0]["color"])
    return {name: assigned.get(name, _LOOP[at % len(_LOOP)]) for at, name in enumerate(series)}


def _columns(search: Saved) -> dict[str, Any]:
    found: dict[str, Any] = search["attributes"]["grid"]["columns"]
    return found


def _texts(rows: list[dict[str, Any]], fields: list[tuple[str, int]]) -> list[list[str]]:
    return [
        [f"{row[field]:.3f}" if field == "score" else _value(row.get(field, "")) for field, _ in fields]
        for row in rows[:40]
    ]


def _value(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, int | float):
        return f"{value:,.10g}"
    text = str(value)
    return SIDE_WORDS.get(text, text.replace("T", " ").rstrip("Z") if text[:2] == "20" else text)


def _seconds(one: dict[str, Any]) -> float:
    return dt.datetime.fromisoformat(one["@timestamp"][:26].rstrip("Z") + "+00:00").timestamp()


def _range(found: list[dict[str, Any]]) -> tuple[float, float]:
    times = [_seconds(one) for one in found]
    return min(times) // 3600 * 3600, math.ceil(max(times) / 3600) * 3600


if __name__ == "__main__":
    main()
