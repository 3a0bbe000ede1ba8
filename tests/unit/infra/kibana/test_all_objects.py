"""Fails on anything that a real Kibana would show as a warning, an error or an empty panel."""

import itertools
import json
import re
from typing import get_args

import pytest

from dashboard.ui import palette
from infra.kibana.asking.kql import Condition
from infra.kibana.content import looks, pipeline
from infra.kibana.content.all_objects import all_objects, version
from infra.kibana.memory import Memory
from infra.kibana.objects.saved_object import RECENT, REFRESH, TAG, TimeRange
from services.contracts import feed_event
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from services.contracts.detectors import by_label
from tests.unit.infra.kibana.objects import (
    BY_KEY,
    CHARTS,
    DASHBOARD_URL,
    DASHBOARDS,
    DATA_VIEWS,
    OBJECTS,
    SEARCHES,
    Saved,
    control_panels,
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
    "unique_count": NUMBERS | {"keyword"},
    "median": NUMBERS,
    "percentile": NUMBERS,
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


def assert_filterable(condition: Condition, view: str) -> None:
    found = mapping(view)[condition.field]
    assert found.get("index", True), f"{condition.field} is not indexed"
    accepted = NUMBERS if condition.sign != ":" else {"keyword", "text", "boolean"}
    assert condition.value == "*" or found["type"] in accepted


def test_ids_are_unique() -> None:
    assert len({one["id"] for one in OBJECTS}) == len(OBJECTS)


def test_titles_are_unique_among_their_kind() -> None:
    assert len({(one["type"], one["attributes"]["title"]) for one in OBJECTS}) == len(OBJECTS)


@pytest.mark.parametrize("one", OBJECTS, ids=ids)
def test_object_tells_whose_it_is_and_bears_the_tag(one: Saved) -> None:
    name = one["attributes"]["name" if one["type"] == "index-pattern" else "title"]
    assert name.startswith("Tapewatch: ")
    assert {"type": "tag", "id": TAG, "name": f"tag-ref-{TAG}"} in one["references"]


@pytest.mark.parametrize("one", OBJECTS, ids=ids)
def test_object_has_the_versions_that_kibana_8_12_reads(one: Saved) -> None:
    kept = {"search": "8.0.0", "index-pattern": "8.0.0", "links": "10.1.0"}
    assert one["coreMigrationVersion"] == "8.8.0"
    assert one["typeMigrationVersion"] == kept.get(one["type"], "8.9.0")


@pytest.mark.parametrize("one", OBJECTS, ids=ids)
def test_references_resolve_and_have_names_of_their_own(one: Saved) -> None:
    for reference in one["references"]:
        if reference["type"] == "tag":
            continue
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
    wanted = {
        "number": NUMBERS,
        "date": {"date"},
        "date_nanos": {"date_nanos"},
        "url": {"keyword"},
        "color": {"keyword"},
        "static_lookup": {"keyword"},
    }
    for name, form in formats.items():
        assert fields[name]["type"] in wanted[form["id"]]


@pytest.mark.parametrize("view", DATA_VIEWS, ids=ids)
def test_every_moment_is_shown_with_all_its_digits(view: Saved) -> None:
    formats = json.loads(view["attributes"]["fieldFormatMap"])
    shown = {name for one in SEARCHES if view_id(one) == view["id"] for name in one["attributes"]["columns"]}
    nanos = {name for name, field in mapping(view["id"]).items() if field.get("type") == "date_nanos"}
    assert nanos & (shown | {"@timestamp", "detected_at"}) <= formats.keys()


@pytest.mark.parametrize(
    ("view", "field", "path"),
    [
        ("tapewatch-anomalies", "trade_id", "anomaly"),
        ("tapewatch-corrections", "trade_id", "anomaly"),
        ("tapewatch-verdicts", "trade_id", "anomaly"),
        ("tapewatch-alerts", "alert_id", "alerts"),
        ("tapewatch-alert-deliveries", "alert_id", "alerts"),
        ("tapewatch-cases", "alert_id", "alerts"),
    ],
)
def test_an_id_leads_to_tapewatchs_own_page_of_it(view: str, field: str, path: str) -> None:
    form = json.loads(BY_KEY["index-pattern", view]["attributes"]["fieldFormatMap"])[field]
    assert form["params"]["urlTemplate"] == f"{DASHBOARD_URL}/{path}?id={{{{value}}}}"


def test_without_tapewatchs_address_nothing_leads_there() -> None:
    objects = json.dumps(all_objects(RECENT, None))
    assert "http" not in objects
    assert "urlTemplate" not in objects
    assert version(None) != version(DASHBOARD_URL)


def test_links_lead_to_every_dashboard_and_to_tapewatch() -> None:
    (links,) = (one for one in OBJECTS if one["type"] == "links")
    leads = links["attributes"]["links"]
    by_name = {one["name"]: one["id"] for one in links["references"]}
    to_dashboards = [by_name[one["destinationRefName"]] for one in leads if one["type"] == "dashboardLink"]
    assert sorted(to_dashboards) == sorted(one["id"] for one in DASHBOARDS)
    addresses = [one["destination"] for one in leads if one["type"] == "externalLink"]
    assert addresses == [f"{DASHBOARD_URL}/", f"{DASHBOARD_URL}/health"]
    assert [one["order"] for one in leads] == list(range(len(leads)))
    for dashboard in DASHBOARDS:
        assert ("links", links["id"]) in {(one["type"], one["id"]) for one in dashboard["references"]}


def test_no_object_has_a_fixed_date() -> None:
    assert re.findall(r"\b(?:19|20)\d\d-\d\d", json.dumps(OBJECTS)) == []


def test_objects_open_with_the_given_times_and_refresh_themselves() -> None:
    times = TimeRange("2025-06-04T08:00:00.000Z", "2025-06-05T00:00:00.000Z")
    moved = 0
    for one in all_objects(times, DASHBOARD_URL):
        attributes = one["attributes"]
        if one["type"] not in ("dashboard", "search"):
            continue
        assert attributes["timeRestore"]
        assert attributes["refreshInterval"] == REFRESH == {"pause": False, "value": 10_000}
        opens = (attributes.get("timeRange") or {}) | (
            {"from": attributes["timeFrom"], "to": attributes["timeTo"]} if "timeFrom" in attributes else {}
        )
        if opens != {"from": "now-7d", "to": "now"}:  # by the clock, not by the tape
            assert opens == {"from": times.start, "to": times.end}
            moved += 1
    assert moved > len(DASHBOARDS)


def test_the_tag_remembers_what_was_imported_and_fits_into_kibanas_form() -> None:
    times = TimeRange("2025-06-04T08:00:00.000Z", "2025-06-05T00:00:00.000Z")
    for memory in (Memory(version(None), times), Memory(None, RECENT)):
        description = memory.as_tag()["attributes"]["description"]
        assert len(description) <= 100
        assert Memory.of(description) == memory
    assert Memory.of("somebody's text") == Memory(None, RECENT)


@pytest.mark.parametrize("chart", CHARTS, ids=ids)
def test_chart_uses_fields_as_their_types_allow(chart: Saved) -> None:
    for column in layer(chart)["columns"].values():
        for one in filter(None, (column, column["params"].get("orderAgg"))):
            operation, field = one["operationType"], one["sourceField"]
            is_date = mapping(view_id(chart)).get(field, {}).get("type") in DATES
            assert one["dataType"] == DATA_TYPES.get(operation, "date" if is_date else "number")
            if operation == "count":
                assert field == "___records___"
            else:
                assert_aggregatable(field, view_id(chart), ACCEPTED[operation])
            if "sortField" in one["params"]:
                assert_aggregatable(one["params"]["sortField"], view_id(chart), DATES)
            for condition in kql(one.get("filter")).conditions():
                assert_filterable(condition, view_id(chart))
        assert column.get("customLabel") or column["operationType"] == "date_histogram"
        assert column["label"]


@pytest.mark.parametrize("chart", CHARTS, ids=ids)
def test_chart_shows_all_columns_and_no_other(chart: Saved) -> None:
    state = chart["attributes"]["state"]["visualization"]
    shown: list[str] = []
    match chart["attributes"]["visualizationType"]:
        case "lnsXY":
            drawn = state["layers"][0]
            shown = [drawn["xAccessor"], *drawn["accessors"]]
            shown += [drawn["splitAccessor"]] if "splitAccessor" in drawn else []
            assert {one["forAccessor"] for one in drawn["yConfig"]} <= set(drawn["accessors"])
        case "lnsDatatable":
            shown = [one["columnId"] for one in state["columns"]]
        case "lnsHeatmap":
            shown = [state["xAccessor"], state["yAccessor"], state["valueAccessor"]]
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


def color_mapping(chart: Saved) -> dict[str, str]:
    drawn = chart["attributes"]["state"]["visualization"]["layers"][0]
    return {
        value: one["color"]["colorCode"]
        for one in drawn["colorMapping"]["assignments"]
        for value in one["rule"]["values"]
    }


@pytest.mark.parametrize(
    ("field", "colors"),
    [
        ("severity", {str(severity): color for severity, color in SEVERITY_COLORS.items()}),
        ("anomalies", {label: spec.color for label, spec in by_label().items()}),
        ("side", dict(zip("BAN", palette.SIDE_COLORS.values(), strict=True))),
    ],
)
def test_what_is_split_by_a_field_has_the_colours_of_tapewatchs_own_pages(
    field: str, colors: dict[str, str]
) -> None:
    split = [
        chart
        for chart in CHARTS
        if chart["attributes"]["visualizationType"] == "lnsXY"
        and layer(chart)["columns"].get("split", {}).get("sourceField") == field
    ]
    assert split
    for chart in split:
        assert color_mapping(chart) == colors


def test_every_event_of_a_feed_has_a_colour() -> None:
    assert color_mapping(BY_KEY["lens", "tapewatch-feed-events-by-kind"]).keys() == set(
        get_args(feed_event.EventName)
    )
    assert pipeline.LOST == 'event: "gap_lost"'


def test_every_color_is_one() -> None:
    found = re.findall(r'"(?:color|colorCode|background|text)": "(#[^"]*)"', json.dumps(OBJECTS))
    assert found
    assert all(re.fullmatch(r"#[0-9a-f]{6}", color) for color in found)


def test_the_price_axis_is_that_of_the_prices() -> None:
    state = BY_KEY["lens", "tapewatch-price"]["attributes"]["state"]["visualization"]
    assert state["yLeftExtent"] == {"mode": "dataBounds", "niceValues": False}
    assert state["fittingFunction"] == "None"


def test_anomalies_are_marked_on_the_price_in_the_colours_of_their_severity() -> None:
    chart = BY_KEY["lens", "tapewatch-price"]
    _, marks = chart["attributes"]["state"]["visualization"]["layers"]
    (view,) = (
        one["id"]
        for one in chart["references"]
        if one["name"] == f"xy-visualization-layer-{marks['layerId']}"
    )
    assert view == "tapewatch-anomalies"
    assert not marks["ignoreGlobalFilters"], "the control Symbol filters them too"
    for mark in marks["annotations"]:
        (condition,) = kql({key: mark["filter"][key] for key in ("query", "language")}).conditions()
        assert_filterable(condition, view)
        assert mark["color"] == SEVERITY_COLORS[Severity(condition.value)]
        for field in mark["extraFields"]:
            assert mapping(view)[field].get("doc_values", True)
            assert mapping(view)[field]["type"] != "text", "Kibana finds no text field for a tooltip"


def big_numbers() -> list[Saved]:
    return [chart for chart in CHARTS if chart["attributes"]["visualizationType"] == "lnsMetric"]


@pytest.mark.parametrize("chart", big_numbers(), ids=ids)
def test_none_is_0_and_is_no_alarm(chart: Saved) -> None:
    state = chart["attributes"]["state"]["visualization"]
    (column,) = layer(chart)["columns"].values()
    if column["operationType"] in ("count", "sum"):
        assert column["params"]["emptyAsNull"] is False
    if state["color"] == looks.RED:
        first, second = state["palette"]["params"]["colorStops"]
        assert first == {"color": looks.GRAY, "stop": 0}
        assert second == {"color": looks.RED, "stop": 1}


@pytest.mark.parametrize("search", SEARCHES, ids=ids)
def test_sentences_have_most_of_the_width(search: Saved) -> None:
    attributes = search["attributes"]
    widths = {field: one["width"] for field, one in attributes["grid"]["columns"].items()}
    assert widths.keys() == {"@timestamp", *attributes["columns"]}
    assert attributes["rowHeight"] == 3
    if "message" in widths:
        assert widths["message"] == max(widths.values()) >= 600


@pytest.mark.parametrize("search", SEARCHES, ids=ids)
def test_search_names_fields_that_exist(search: Saved) -> None:
    view, attributes, source = view_id(search), search["attributes"], search_source(search)
    assert set(attributes["columns"]) <= mapping(view).keys()
    for field, _direction in attributes["sort"]:
        assert_aggregatable(field, view, NUMBERS | DATES)
    for condition in kql(source["query"]).conditions():
        assert_filterable(condition, view)
    assert source["indexRefName"] in {reference["name"] for reference in search["references"]}
    assert source["filter"] == []


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


def test_no_name_of_a_panel_or_control_is_on_two_dashboards() -> None:
    """Kibana keeps what has the same name on the way from one dashboard to another, whatever it shows."""
    names = [panel["panelIndex"] for one in DASHBOARDS for panel in panels(one)]
    names += [name for one in DASHBOARDS for name in control_panels(one)]
    assert len(set(names)) == len(names)


def test_controls_count_all_documents() -> None:
    chosen = [control["explicitInput"] for one in DASHBOARDS for control in control_panels(one).values()]
    assert chosen
    assert all(control["runPastTimeout"] for control in chosen)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=ids)
def test_what_has_the_time_of_the_clock_has_a_time_range_of_its_own(dashboard: Saved) -> None:
    shown = {one["name"]: (one["type"], one["id"]) for one in dashboard["references"]}
    for panel in panels(dashboard):
        one = BY_KEY[shown[f"{panel['panelIndex']}:{panel['panelRefName']}"]]
        by_the_clock = {"tapewatch-feed-events", "tapewatch-alert-deliveries"}
        has_own = one["type"] != "links" and view_id(one) in by_the_clock
        assert panel["embeddableConfig"].get("timeRange") == (
            {"from": "now-7d", "to": "now"} if has_own else None
        )


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=ids)
def test_panels_find_what_they_show_and_where_a_click_leads(dashboard: Saved) -> None:
    references = {reference["name"]: reference for reference in dashboard["references"]}
    for panel in panels(dashboard):
        name = panel["panelIndex"]
        shown = references.pop(f"{name}:{panel['panelRefName']}")
        assert shown["type"] == panel["type"]
        events = panel["embeddableConfig"]["enhancements"].get("dynamicActions", {}).get("events", [])
        for event in events:
            factory = event["action"]["factoryId"]
            target = references.pop(f"{name}:drilldown:{factory}:{event['eventId']}:dashboardId")
            assert target["type"] == "dashboard"
            assert target["id"] != dashboard["id"]
            assert_click_fits_both_views(BY_KEY[shown["type"], shown["id"]], target["id"])
    assert all(name.startswith(("controlGroup_", "tag-ref-")) for name in references)


def drilldowns() -> dict[tuple[str, str], str]:
    """Return where a click leads, by dashboard and panel."""
    return {
        (dashboard["id"], one["name"].partition(":")[0]): one["id"]
        for dashboard in DASHBOARDS
        for one in dashboard["references"]
        if ":drilldown:" in one["name"]
    }


def test_a_symbol_and_a_time_lead_from_anomalies_to_their_trades_and_back() -> None:
    market, anomalies = "tapewatch-market-dashboard", "tapewatch-anomalies-dashboard"
    assert drilldowns()[anomalies, f"{anomalies}-tapewatch-heat-map"] == market
    assert drilldowns()[anomalies, f"{anomalies}-tapewatch-anomalous-symbols"] == market
    assert drilldowns()[market, f"{market}-tapewatch-price"] == anomalies
    for chart in ("tapewatch-heat-map", "tapewatch-anomalous-symbols", "tapewatch-price"):
        columns = layer(BY_KEY["lens", chart])["columns"].values()
        assert {one["sourceField"] for one in columns if one["isBucketed"]} == {"symbol", "@timestamp"}


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
    for own, field in chosen:
        for view in {own, *views}:
            assert_aggregatable(field, view, {"keyword"})
            assert_filterable(Condition(field, ":", "x", is_quoted=True), view)
