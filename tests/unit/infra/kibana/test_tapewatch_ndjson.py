"""Fails on anything that a real Kibana would show as a warning, an error or an empty panel."""

import datetime as dt
import itertools
import json
import re

import pytest

from dashboard.ui import palette
from infra.kibana.generate import FILE, SIDES, generated_day, ndjson
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from services.sources.synthetic.day import DayConfig, generate_day
from tests.narrow import number
from tests.unit.infra.kibana.objects import (
    BY_KEY,
    CHARTS,
    DASHBOARDS,
    DATA_VIEWS,
    OBJECTS,
    SEARCHES,
    Query,
    Saved,
    controls,
    kql,
    layer,
    mapping,
    panels,
    search_source,
    view_id,
)

GRID_COLUMNS = 48
NUMBERS = {"double", "long", "integer", "short"}
DATES = {"date", "date_nanos"}
ACCEPTED = {
    "terms": NUMBERS | {"keyword"},
    "sum": NUMBERS,
    "min": NUMBERS,
    "max": NUMBERS,
    "range": NUMBERS,
    "date_histogram": DATES,
    "last_value": NUMBERS | DATES | {"keyword"},
}
DATA_TYPES = {"terms": "string", "date_histogram": "date"}


def ids(one: Saved) -> str:
    return str(one["id"])


def assert_aggregatable(field: str, view: str, types: set[str]) -> None:
    found = mapping(view)[field]
    assert found["type"] in types, f"{field} is {found['type']}"
    assert found.get("doc_values", True), f"{field} has no doc values"


def assert_filterable(query: Query, view: str) -> None:
    found = mapping(view)[query.field]
    assert found.get("index", True), f"{query.field} is not indexed"
    if query.value is not None:
        assert found["type"] == "keyword"


def test_file_is_what_the_script_makes() -> None:
    assert FILE.read_text() == ndjson()


def test_ids_are_unique() -> None:
    assert len({one["id"] for one in OBJECTS}) == len(OBJECTS)


def test_titles_are_unique_among_their_kind() -> None:
    assert len({(one["type"], one["attributes"]["title"]) for one in OBJECTS}) == len(OBJECTS)


@pytest.mark.parametrize("one", OBJECTS, ids=ids)
def test_object_has_the_versions_that_kibana_8_12_reads(one: Saved) -> None:
    kept = {"search": "8.0.0", "index-pattern": "8.0.0"}
    assert one["coreMigrationVersion"] == "8.8.0"
    assert one["typeMigrationVersion"] == kept.get(one["type"], "8.9.0")


@pytest.mark.parametrize("one", OBJECTS, ids=ids)
def test_references_resolve_and_have_names_of_their_own(one: Saved) -> None:
    for reference in one["references"]:
        assert (reference["type"], reference["id"]) in BY_KEY
    assert len({reference["name"] for reference in one["references"]}) == len(one["references"])


@pytest.mark.parametrize("one", OBJECTS, ids=ids)
def test_data_views_and_searches_stand_before_what_needs_them(one: Saved) -> None:
    before = itertools.takewhile(lambda other: other is not one, OBJECTS)
    known = {(other["type"], other["id"]) for other in before}
    needed = {
        (reference["type"], reference["id"])
        for reference in one["references"]
        if reference["type"] in ("index-pattern", "search")
    }
    assert needed <= known


@pytest.mark.parametrize("view", DATA_VIEWS, ids=ids)
def test_data_view_formats_fields_that_exist(view: Saved) -> None:
    attributes, fields = view["attributes"], mapping(view["id"])
    formats = json.loads(attributes["fieldFormatMap"])
    assert fields.keys() >= formats.keys()
    assert fields[attributes["timeFieldName"]]["type"] in DATES
    wanted = {"number": NUMBERS, "date": {"date"}, "date_nanos": {"date_nanos"}, "url": {"keyword"}}
    for name, form in formats.items():
        assert fields[name]["type"] in wanted[form["id"]]


def test_anomaly_links_to_the_trades_around_it() -> None:
    (view,) = (one for one in DATA_VIEWS if one["id"] == "tapewatch-anomalies")
    url = json.loads(view["attributes"]["fieldFormatMap"])["trade_id"]["params"]["urlTemplate"]
    found = re.fullmatch(r"discover#/context/([\w-]+)/\{\{value\}\}\?_a=\(columns:!\(([\w,]+)\),.*\)", url)
    assert found
    assert ("index-pattern", found[1]) in BY_KEY
    assert set(found[2].split(",")) <= mapping(found[1]).keys()


@pytest.mark.parametrize("chart", CHARTS, ids=ids)
def test_chart_uses_fields_as_their_types_allow(chart: Saved) -> None:
    for column in layer(chart)["columns"].values():
        for one in filter(None, (column, column["params"].get("orderAgg"))):
            operation, field = one["operationType"], one["sourceField"]
            assert one["dataType"] == DATA_TYPES.get(operation, "number")
            if operation == "count":
                assert field == "___records___"
            else:
                assert_aggregatable(field, view_id(chart), ACCEPTED[operation])
            if "sortField" in one["params"]:
                assert_aggregatable(one["params"]["sortField"], view_id(chart), DATES)
            for query in kql(one.get("filter")):
                assert_filterable(query, view_id(chart))
        assert column.get("customLabel") or column["operationType"] == "date_histogram"
        assert column["label"]


@pytest.mark.parametrize("chart", CHARTS, ids=ids)
def test_chart_shows_all_columns_and_no_other(chart: Saved) -> None:
    state = chart["attributes"]["state"]["visualization"]
    shown: list[str] = []
    match chart["attributes"]["visualizationType"]:
        case "lnsXY":
            (drawn,) = state["layers"]
            shown = [drawn["xAccessor"], *drawn["accessors"]]
            shown += [drawn["splitAccessor"]] if "splitAccessor" in drawn else []
            assert {one["forAccessor"] for one in drawn["yConfig"]} <= set(drawn["accessors"])
        case "lnsDatatable":
            shown = [one["columnId"] for one in state["columns"]]
        case "lnsMetric":
            shown = [state["metricAccessor"]]
    columns = layer(chart)["columns"]
    assert sorted(shown) == sorted(columns) == sorted(layer(chart)["columnOrder"])


@pytest.mark.parametrize("chart", CHARTS, ids=ids)
def test_chart_divides_before_it_measures_and_ranks_by_what_it_shows(chart: Saved) -> None:
    columns = layer(chart)["columns"]
    bucketed = [columns[name]["isBucketed"] for name in layer(chart)["columnOrder"]]
    assert bucketed == sorted(bucketed, reverse=True)
    for column in columns.values():
        if column["params"].get("orderBy", {}).get("type") == "column":
            by = columns[column["params"]["orderBy"]["columnId"]]
            assert by["operationType"] in ("count", "sum", "min", "max")


def test_rate_has_time_to_go_by() -> None:
    rates = [chart for chart in CHARTS if any("timeScale" in one for one in layer(chart)["columns"].values())]
    assert rates
    for chart in rates:
        operations = {one["operationType"] for one in layer(chart)["columns"].values()}
        assert "date_histogram" in operations


@pytest.mark.parametrize("chart_id", ["tapewatch-severities", "tapewatch-scores"])
def test_each_severity_has_its_column_and_color(chart_id: str) -> None:
    chart = BY_KEY["lens", chart_id]
    (drawn,) = chart["attributes"]["state"]["visualization"]["layers"]
    found = {query.value for one in layer(chart)["columns"].values() for query in kql(one.get("filter"))}
    assert found == set(Severity)
    assert {one["forAccessor"]: one["color"] for one in drawn["yConfig"]} == SEVERITY_COLORS


def test_sides_have_the_colours_of_the_dashboard() -> None:
    assert [color for _, color in SIDES.values()] == list(palette.SIDE_COLORS.values())


@pytest.mark.parametrize("search", SEARCHES, ids=ids)
def test_search_names_fields_that_exist(search: Saved) -> None:
    view, attributes, source = view_id(search), search["attributes"], search_source(search)
    assert set(attributes["columns"]) <= mapping(view).keys()
    for field, _direction in attributes["sort"]:
        assert_aggregatable(field, view, NUMBERS | DATES)
    for query in kql(source["query"]):
        assert_filterable(query, view)
    names = {reference["name"] for reference in search["references"]}
    assert source["indexRefName"] in names
    for one in source["filter"]:
        assert one["meta"]["indexRefName"] in names
        field, value = one["meta"]["key"], one["meta"]["params"]["query"]
        assert one["query"] == {"match_phrase": {field: value}}
        assert_filterable(Query(field, value, negated=False), view)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=ids)
def test_panels_lie_on_the_grid_and_on_no_other(dashboard: Saved) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(dashboard):
        place = panel["gridData"]
        assert panel["panelIndex"] == place["i"]
        assert place["x"] + place["w"] <= GRID_COLUMNS
        columns = range(place["x"], place["x"] + place["w"])
        cells = set(itertools.product(columns, range(place["y"], place["y"] + place["h"])))
        assert cells
        assert not cells & taken
        taken |= cells
    assert len(taken) == GRID_COLUMNS * (1 + max(row for _, row in taken)), "a gap"


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=ids)
def test_panels_find_what_they_show_and_where_a_click_leads(dashboard: Saved) -> None:
    references = {reference["name"]: reference for reference in dashboard["references"]}
    drilldowns = 0
    for panel in panels(dashboard):
        name = panel["panelIndex"]
        shown = references.pop(f"{name}:{panel['panelRefName']}")
        assert shown["type"] == panel["type"]
        events = panel["embeddableConfig"]["enhancements"].get("dynamicActions", {}).get("events", [])
        for event in events:
            drilldowns += 1
            factory = event["action"]["factoryId"]
            target = references.pop(f"{name}:drilldown:{factory}:{event['eventId']}:dashboardId")
            assert target["type"] == "dashboard"
            assert target["id"] != dashboard["id"]
            assert_click_fits_both_views(BY_KEY[shown["type"], shown["id"]], target["id"])
    assert drilldowns
    assert all(name.startswith("controlGroup_") for name in references)


def assert_click_fits_both_views(chart: Saved, target: str) -> None:
    """A click filters by the chart's split field, which the other dashboard's data view must have."""
    columns = layer(chart)["columns"].values()
    fields = {one["sourceField"] for one in columns if one["isBucketed"]}
    for panel in BY_KEY["dashboard", target]["references"]:
        if panel["type"] in ("lens", "search"):
            assert fields <= mapping(view_id(BY_KEY[panel["type"], panel["id"]])).keys()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=ids)
def test_controls_filter_every_panel(dashboard: Saved) -> None:
    chosen = list(controls(dashboard))
    assert "symbol" in {field for _, field in chosen}
    views = {
        view_id(BY_KEY[one["type"], one["id"]])
        for one in dashboard["references"]
        if one["type"] in ("lens", "search")
    }
    for view, field in chosen:
        assert views == {view}
        assert_aggregatable(field, view, {"keyword"})
        assert_filterable(Query(field, "x", negated=False), view)


def test_objects_open_at_the_generated_day() -> None:
    times = generated_day()
    trades, _ = generate_day(DayConfig(trades=5_000))
    first, last = (
        dt.datetime.fromtimestamp(number(ns) / 1e9, dt.UTC)
        for ns in (trades["ts_event"].min(), trades["ts_event"].max())
    )
    start, end = (dt.datetime.fromisoformat(text) for text in (times.start, times.end))
    assert start <= first < last <= end
    assert end - start <= dt.timedelta(hours=24)
    for dashboard in DASHBOARDS:
        attributes = dashboard["attributes"]
        assert attributes["timeRestore"]
        assert (attributes["timeFrom"], attributes["timeTo"]) == (times.start, times.end)
    for search in SEARCHES:
        assert search["attributes"]["timeRange"] == {"from": times.start, "to": times.end}
