"""`python -m tests.docs.grafana_picture` draws what Grafana's queries give, for docs/grafana.md.

The SQL of each panel runs on a real Postgres with a generated day; titles, places and colors are those of the
panels. The drawing is this project's own: no screenshot, and no picture of how Grafana draws.
"""

import datetime as dt
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.embedded.postgres_server import running_postgres
from infra.grafana.objects.dashboard import COLUMNS
from services.contracts.postgres import READER_ROLE
from tests.docs import svg
from tests.docs.pages import ROOT
from tests.grafana.dashboards import DASHBOARDS, Json, variables
from tests.grafana.generated import generated_tape
from tests.grafana.macros import View, expand, seconds
from tests.integration.postgres.database import Database, new_database

TRADES = 60_000
START, END, INTERVAL = (
    dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC),
    dt.datetime(2026, 3, 3, 1, tzinfo=dt.UTC),
    "10m",
)
SYMBOL = "ACME"
COLUMN_PX, ROW_PX, GAP_PX, TOP_PX, LEFT_PX, BELOW_PX = 60, 25, 4, 30, 62, 40
LINES = 4
_LOOP = ("#73bf69", "#f2cc0c", "#5794f2", "#b877d9")

Row = dict[str, Any]
Series = dict[str, dict[float, float]]
"""Value by the name of a series and the time."""


def main() -> None:
    """Draw the dashboards that ask Postgres."""
    with tempfile.TemporaryDirectory() as folder, running_postgres({"fsync": "off"}) as server:
        database = new_database(server, Path(folder))
        generated_tape(TRADES).write(database)
        for name in ("market", "anomalies", "alerts"):
            (ROOT / "docs" / "images" / f"grafana-{name}.svg").write_text(picture(name, database))


def picture(name: str, database: Database) -> str:
    """Return a dashboard as SVG."""
    values = {variable: one.get("allValue", "") for variable, one in variables(name).items()}
    chosen = {"interval": INTERVAL} | ({} if values["symbol"] else {"symbol": [SYMBOL]})
    view = View(START, END, values | chosen)
    parts, bottom = [], 0
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        width, height = place["w"] * COLUMN_PX - GAP_PX, place["h"] * ROW_PX - GAP_PX
        bottom = max(bottom, (place["y"] + place["h"]) * ROW_PX)
        found = [rows_of(database, expand(target["rawSql"], view)) for target in panel["targets"]]
        parts.append(
            f'<g transform="translate({place["x"] * COLUMN_PX + GAP_PX},{place["y"] * ROW_PX + GAP_PX})">'
            f'<rect width="{width}" height="{height}" rx="2" fill="#fff" stroke="#e4e7e7"/>'
            f"{svg.text(10, 18, panel['title'], 'bold')}{''.join(_drawn(panel, found, width, height))}</g>"
        )
    width, height = COLUMNS * COLUMN_PX + GAP_PX, bottom + GAP_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11" fill="#24292e">'
        f'<rect width="100%" height="100%" fill="#f4f5f5"/>{"".join(parts)}</svg>\n'
    )


def rows_of(database: Database, text: str) -> list[Row]:
    """Return what Grafana's user gets."""
    with database.connection(READER_ROLE).connect("picture") as session:
        cursor = session.execute(text.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _drawn(panel: Json, found: list[list[Row]], width: int, height: int) -> Iterator[str]:
    match panel["type"]:
        case "stat":
            yield from _numbers(panel, found[0][0], width, height)
        case "timeseries":
            yield from _chart(panel, found, width, height)
        case "status-history":
            yield from _map(panel, found[0], width, height)
        case "barchart":
            yield from _bars(panel, found[0], width, height)
        case "table":
            yield from _table(panel, found[0], width, height)


def _numbers(panel: Json, row: Row, width: int, height: int) -> Iterator[str]:
    tall = (height - TOP_PX) / len(row)
    for at, (name, value) in enumerate(row.items()):
        steps = _property(panel, name, "thresholds")["steps"]
        color = [step["color"] for step in steps if step["value"] is None or step["value"] <= value][-1]
        yield svg.box(6, TOP_PX + at * tall, width - 12, tall - 6, color)
        yield svg.text(16, TOP_PX + at * tall + 22, name, color="#fff")
        y = TOP_PX + (at + 0.5) * tall + 14
        style = 'text-anchor="end" font-size="26" fill="#fff"'
        yield f'<text x="{width - 16}" y="{y:.1f}" {style}>{value:,.0f}</text>'


def _chart(panel: Json, found: list[list[Row]], width: int, height: int) -> Iterator[str]:
    series = {name: points for rows in found for name, points in _series(panel, rows).items()}
    is_stacked = panel["fieldConfig"]["defaults"]["custom"]["drawStyle"] == "bars"
    stacks: dict[float, float] = defaultdict(float)
    for points in series.values():
        for x, value in points.items():
            stacks[x] += value
    values = (
        [*stacks.values()] if is_stacked else [one for points in series.values() for one in points.values()]
    )
    low, high = (0.0 if is_stacked else min(values)), max(values)
    tall, scale = height - TOP_PX - BELOW_PX, (width - LEFT_PX - 12) / (END - START).total_seconds()

    def x_of(time: float) -> float:
        return LEFT_PX + (time - START.timestamp()) * scale

    def y_of(value: float) -> float:
        return TOP_PX + tall - tall * (value - low) / (high - low)

    for part in range(5):
        value = low + (high - low) * part / 4
        yield svg.box(LEFT_PX, y_of(value), width - LEFT_PX - 12, 0.5, "#e4e7e7")
        yield svg.text(6, y_of(value) + 4, f"{value:,.5g}" if high < 1000 else f"{value:,.0f}")
    bases: dict[float, float] = defaultdict(float)
    for name, points in series.items():
        color = _color(panel, name, series)
        if is_stacked:
            for x, value in points.items():
                top = y_of(bases[x] + value)
                yield svg.box(x_of(x), top, seconds(INTERVAL) * scale - 1, y_of(bases[x]) - top, color)
                bases[x] += value
        elif _property(panel, name, "custom.drawStyle") == "points":
            yield from (
                f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="4" fill="{color}"/>'
                for x, y in points.items()
            )
        else:
            path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points.items())
            dash = _property(panel, name, "custom.lineStyle")
            dashes = f' stroke-dasharray="{" ".join(map(str, dash["dash"]))}"' if dash else ""
            yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.3"{dashes}/>'
    yield from svg.hours(START.timestamp(), END.timestamp(), LEFT_PX, scale, height - 16)
    yield from _legend({name: _color(panel, name, series) for name in series}, width, height)


def _map(panel: Json, rows: list[Row], width: int, height: int) -> Iterator[str]:
    series = _series(panel, rows)
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    tall, scale = (height - TOP_PX - 22) / len(series), (width - LEFT_PX - 12) / (END - START).total_seconds()
    for at, (name, points) in enumerate(sorted(series.items())):
        yield svg.text(10, TOP_PX + (at + 0.5) * tall + 4, name)
        for x, value in points.items():
            color = [step["color"] for step in steps if step["value"] is None or step["value"] <= value][-1]
            left = LEFT_PX + (x - START.timestamp()) * scale
            yield svg.box(left, TOP_PX + at * tall + 2, seconds(INTERVAL) * scale - 1, tall - 4, color)
    yield from svg.hours(START.timestamp(), END.timestamp(), LEFT_PX, scale, height)


def _bars(panel: Json, rows: list[Row], width: int, height: int) -> Iterator[str]:
    label = panel["options"]["xField"]
    names = [name for name in rows[0] if name != label]
    most = max(sum(row[name] for name in names) for row in rows)
    tall, scale = (height - TOP_PX - BELOW_PX) / len(rows), (width - LEFT_PX - 50) / most
    for at, row in enumerate(rows):
        y, x = TOP_PX + at * tall, float(LEFT_PX)
        yield svg.text(10, y + tall / 2 + 4, row[label])
        for name in [one for one in names if row[one]]:
            yield svg.box(x, y + 4, row[name] * scale, tall - 8, _color(panel, name, {}))
            x += row[name] * scale
        yield svg.text(x + 6, y + tall / 2 + 4, f"{sum(row[name] for name in names):,}")
    yield from _legend({name: _color(panel, name, {}) for name in names}, width, height)


def _table(panel: Json, rows: list[Row], width: int, height: int) -> Iterator[str]:
    widths = {name: _property(panel, name, "custom.width") for name in rows[0]}
    rest = width - 20 - sum(px or 0 for px in widths.values())
    heads = [(name, px or max(rest, 100)) for name, px in widths.items()]
    texts = [[_text(row[name], _property(panel, name, "decimals")) for name in row] for row in rows]
    yield from svg.table(heads, texts, width, height, TOP_PX, LINES)


def _legend(colors: dict[str, str], width: int, height: int) -> Iterator[str]:
    x = float(LEFT_PX)
    for name, color in colors.items():
        if x + 20 + 7 * len(name) > width:
            yield svg.text(x, height - 7, "…")
            return
        yield svg.box(x, height - 15, 9, 9, color)
        yield svg.text(x + 13, height - 7, name)
        x += 26 + 6.3 * len(name)


def _series(panel: Json, rows: list[Row]) -> Series:
    """Return the numbers of rows, but for 0, by how Grafana names their series."""
    found: Series = defaultdict(dict)
    for row in rows:
        time = row["time"].timestamp() if isinstance(row["time"], dt.datetime) else float(row["time"])
        labels = {name: value for name, value in row.items() if isinstance(value, str)}
        for name, value in row.items():
            if name != "time" and name not in labels:
                points = found[_named(panel, name, labels)]
                if value:
                    points[time] = float(value)
    return found


def _named(panel: Json, field: str, labels: dict[str, str]) -> str:
    text: str = panel["fieldConfig"]["defaults"].get("displayName", field)
    for name, value in {
        "name": field,
        **{f"labels.{label}": value for label, value in labels.items()},
    }.items():
        text = text.replace(f"${{__field.{name}}}", value)
    return text


def _property(panel: Json, name: str, wanted: str) -> Any:  # noqa: ANN401
    """Return what a panel says of a series or a column; None if nothing."""
    for override in panel["fieldConfig"]["overrides"]:
        pattern = override["matcher"]["options"]
        is_it = re.search(pattern[1:-1], name) if override["matcher"]["id"] == "byRegexp" else pattern == name
        for one in override["properties"]:
            if is_it and one["id"] == wanted:
                return one["value"]
    return None


def _color(panel: Json, name: str, series: Series) -> str:
    fixed = _property(panel, name, "color")
    return fixed["fixedColor"] if fixed else _LOOP[[*series].index(name) % len(_LOOP)]


def _text(value: Any, decimals: int | None) -> str:  # noqa: ANN401
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    if isinstance(value, str) or value is None:
        return value or ""
    return f"{value:,.10g}" if decimals is None else f"{value:.{decimals}f}"


if __name__ == "__main__":
    main()
