"""Fails on what Grafana would not load, would show as an error, or would lead nowhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.cog.runtime import panelcfg_field_config_from_json
from grafana_foundation_sdk.models.dashboard import Dashboard, FieldConfig

from infra.grafana import provisioning
from infra.grafana.files import FOLDER, all_files
from infra.grafana.objects.dashboard import COLUMNS, TAG
from infra.grafana.objects.queries import POSTGRES, PROMETHEUS
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from services.contracts.detectors import LABELS, by_label
from services.contracts.postgres import READER_ROLE
from services.contracts.sinks import COMPONENTS
from services.contracts.trade import SIDE_COLORS, SIDE_WORDS
from tests.docs import surface
from tests.docs.pages import ROOT, rows
from tests.grafana.dashboards import DASHBOARDS, PROMQL, SQL, Json, Query, variables
from tests.unit.infra.prometheus.test_rules import needs_promtool, promtool

each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)
ORDER = ("market", "anomalies", "alerts", "pipeline")
PANELS = [(name, panel) for name, dashboard in DASHBOARDS.items() for panel in dashboard["panels"]]
each_panel = pytest.mark.parametrize(
    ("name", "panel"), PANELS, ids=[f"{name}: {panel['title']}" for name, panel in PANELS]
)


def test_the_files_are_what_the_script_writes() -> None:
    written = {path for folder in ("dashboards", "provisioning") for path in (FOLDER / folder).rglob("*.*")}
    assert {FOLDER / path: text for path, text in all_files().items()} == {
        path: path.read_text() for path in written
    }, "run python -m infra.grafana"


def lost(ours: Any, theirs: Any, where: str = "") -> Iterator[str]:  # noqa: ANN401
    """Yield what is not in the other JSON, or is something else there; defaults may be added."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            yield from lost(value, theirs[name], f"{where}/{name}") if name in theirs else [f"{where}/{name}"]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{where}/{at}")
    elif ours != theirs:
        yield f"{where}: {ours} became {theirs}"


def read_by_grafanas_schema(dashboard: Json) -> Any:  # noqa: ANN401
    register_default_plugins()
    return json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))


@each_dashboard
def test_grafanas_schema_knows_all_that_a_dashboard_has(name: str) -> None:
    assert [*lost(DASHBOARDS[name], read_by_grafanas_schema(DASHBOARDS[name]))] == []


def test_a_name_that_the_schema_does_not_know_is_noticed() -> None:
    for path in (["refreshes"], ["panels", 1, "options", "legends"], ["templating", "list", 0, "quarry"]):
        dashboard: Any = json.loads(json.dumps(DASHBOARDS["market"]))
        inner = dashboard
        for part in path[:-1]:
            inner = inner[part]
        inner[path[-1]] = 1
        assert [*lost(dashboard, read_by_grafanas_schema(dashboard))] == [f"/{'/'.join(map(str, path))}"]


@each_panel
def test_grafanas_schema_knows_what_is_overridden(name: str, panel: Json) -> None:
    register_default_plugins()
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            custom, own = one["id"].startswith("custom."), one["id"].removeprefix("custom.")
            given = {own: one["value"]}
            read = (
                panelcfg_field_config_from_json(given, panel["type"])
                if custom
                else FieldConfig.from_json(given)
            )
            assert own in json.loads(json.dumps(read, cls=JSONEncoder)), one


@each_dashboard
def test_panels_fill_the_grid_without_overlap(name: str) -> None:
    cells = [
        (x, y)
        for panel in DASHBOARDS[name]["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len({*cells})
    assert {x for x, _ in cells} <= {*range(COLUMNS)}
    assert [panel["id"] for panel in DASHBOARDS[name]["panels"]] == [
        *range(1, len(DASHBOARDS[name]["panels"]) + 1)
    ]


@each_dashboard
def test_a_dashboard_opens_with_the_last_day_and_asks_again(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert dashboard["time"] == {"from": "now-24h", "to": "now"}
    assert dashboard["refresh"] in dashboard["timepicker"]["refresh_intervals"]
    assert dashboard["uid"] == f"tapewatch-{name}"
    assert "id" not in dashboard, "that would be one of a certain Grafana"


@each_dashboard
def test_a_dashboard_links_to_all_others_with_the_time_range(name: str) -> None:
    (link,) = DASHBOARDS[name]["links"]
    assert link["type"] == "dashboards"
    assert link["keepTime"]
    assert link["tags"] == [TAG] == DASHBOARDS[name]["tags"]


def links(panel: Json) -> list[str]:
    config = panel["fieldConfig"]
    found = list(config["defaults"].get("links", []))
    for override in config["overrides"]:
        found += [one for prop in override["properties"] if prop["id"] == "links" for one in prop["value"]]
    return [one["url"] for one in found]


def test_links_lead_to_dashboards_their_variables_and_pages_that_exist() -> None:
    pages = {path.name for path in (ROOT / "dashboard" / "pages").iterdir()}
    all_links = [(name, url) for name, panel in PANELS for url in links(panel)]
    for name, url in all_links:
        if page := re.fullmatch(r"\$\{tapewatch\}/(\w+)\?id=\$\{__value\.raw:percentencode\}", url):
            assert page[1] in pages
            assert "tapewatch" in variables(name)
        else:
            found = re.fullmatch(
                r"/d/tapewatch-(\w+)\?\$\{__url_time_range\}&var-(\w+)=\$\{[\w.]+:percentencode\}", url
            )
            assert found, url
            assert found[2] in variables(found[1])
    assert {name for name, _ in all_links} == {"market", "anomalies", "alerts"}


@pytest.mark.parametrize("name", ["market", "anomalies", "alerts"])
def test_each_variable_is_used_and_each_that_is_used_exists(name: str) -> None:
    queries = [one.text for one in SQL if one.dashboard == name]
    text = " ".join([*queries, *(url for _, panel in PANELS for url in links(panel) if "{tapewatch}" in url)])
    used = {*re.findall(r"\$\{?(?!_)(\w+)", " ".join(queries))}
    assert used | ({"tapewatch"} & {*variables(name)}) == {*variables(name)}
    assert "${tapewatch}" in text


def test_labels_and_severities_to_choose_are_the_registrys() -> None:
    for name in ("anomalies", "alerts"):
        assert variables(name)["label"]["query"].split(",") == [*LABELS]
        assert variables(name)["severity"]["query"].split(",") == [*Severity]
    assert not any("," in label or " : " in label for label in LABELS), "Grafana would see two values"


COLORS = (
    {str(one): color for one, color in SEVERITY_COLORS.items()}
    | {label: spec.color for label, spec in by_label().items()}
    | {SIDE_WORDS[side]: color for side, color in SIDE_COLORS.items()}
)


def colored(panel: Json) -> Iterator[tuple[str, str]]:
    """Yield what has a color of its own in a panel, and the color."""
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            if one["id"] == "color" and one["value"]["mode"] == "fixed":
                yield override["matcher"]["options"].removesuffix(" anomaly"), one["value"]["fixedColor"]
            if one["id"] == "mappings":
                for value, shown in one["value"][0]["options"].items():
                    yield value, shown["color"]


def test_colors_are_the_registrys() -> None:
    found = [each for _, panel in PANELS for each in colored(panel) if each[0] != "Trades a minute"]
    assert {name for name, _ in found} == COLORS.keys()
    assert all(COLORS[name] == color for name, color in found)


@each_panel
def test_a_panels_queries_have_one_datasource_and_names_of_their_own(name: str, panel: Json) -> None:
    assert panel["datasource"] in (POSTGRES, PROMETHEUS)
    assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_datasources_are_those_that_the_dashboards_ask() -> None:
    given = yaml.safe_load((FOLDER / "provisioning/datasources/tapewatch.yaml").read_text())["datasources"]
    assert [{"type": one["type"], "uid": one["uid"]} for one in given] == [POSTGRES, PROMETHEUS]
    postgres, prometheus = given
    assert postgres["user"] == READER_ROLE
    assert postgres["secureJsonData"] == {"password": f"$__file{{{provisioning.PASSWORD_FILE}}}"}
    assert postgres["url"] == f"${provisioning.POSTGRES_ADDRESS}"
    assert prometheus["url"] == f"${provisioning.PROMETHEUS_ADDRESS}"
    scraped = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["global"][
        "scrape_interval"
    ]
    assert prometheus["jsonData"]["timeInterval"] == scraped


def test_the_page_says_where_grafana_looks_and_what_each_dashboard_shows() -> None:
    page = (ROOT / "docs" / "grafana.md").read_text()
    for path in (provisioning.PASSWORD_FILE, provisioning.DASHBOARDS_FOLDER):
        assert path in page
    shown = [title for row in rows(page) if "panel" in row for title in row["panel"].split("; ")]
    assert shown == [panel["title"] for name in ORDER for panel in DASHBOARDS[name]["panels"]]


each_expression = pytest.mark.parametrize("query", PROMQL, ids=lambda query: query.name)


@each_expression
def test_an_expression_asks_for_what_components_serve(query: Query) -> None:
    served = surface.metrics()
    asked = re.findall(r"\btapewatch_\w+", query.text)
    labels = {one for text in re.findall(r"by \(([^)]+)\)", query.text) for one in text.split(", ")}
    names = {*re.findall(r"\{\{(\w+)\}\}", query.target["legendFormat"])}
    assert names <= labels, "a legend needs the labels that the expression keeps"
    known = {"job", "instance", "le"}
    for metric in asked:
        base = metric.removesuffix("_bucket")
        assert base in served, metric
        kind, own = served[base]
        assert (kind == "histogram") == metric.endswith("_bucket")
        assert labels <= known | {*own}, metric
        assert ("rate(" in query.text or "increase(" in query.text) == (kind in ("counter", "histogram"))
    assert asked or f'process_resident_memory_bytes{{job=~"{"|".join(COMPONENTS)}"}}' in query.text


@needs_promtool
@each_expression
def test_prometheus_understands_an_expression(query: Query, tmp_path: Path) -> None:
    rule = {"record": "tried", "expr": query.text.replace("$__rate_interval", "1m")}
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "tried", "rules": [rule]}]}))
    assert "SUCCESS" in promtool("check", "rules", path)


SERIES = {
    'tapewatch_ready{job="detector",service="detector"}': "1x10",
    'tapewatch_ready{job="indexer",service="indexer"}': "0x10",
    'tapewatch_published_trades_total{job="producer"}': "0+60x10",
    'tapewatch_published_trades_total{job="feed"}': "0+120x10",
    'tapewatch_scored_trades_total{job="detector",instance="a"}': "0+600x10",
    'tapewatch_scored_trades_total{job="detector",instance="b"}': "0+300x10",
    'tapewatch_indexed_documents_total{job="indexer",topic="trades"}': "0+60x10",
    'tapewatch_indexed_documents_total{job="indexer",topic="anomalies"}': "0+6x10",
    'tapewatch_lag_messages{service="indexer",topic="trades",instance="a"}': "5x10",
    'tapewatch_lag_messages{service="indexer",topic="trades",instance="b"}': "7x10",
    'tapewatch_event_time_lag_seconds{service="detector",instance="a"}': "3x10",
    'tapewatch_event_time_lag_seconds{service="detector",instance="b"}': "4x10",
    'tapewatch_commit_seconds_bucket{service="detector",le="0.1"}': "0+90x10",
    'tapewatch_commit_seconds_bucket{service="detector",le="0.2"}': "0+100x10",
    'tapewatch_commit_seconds_bucket{service="detector",le="+Inf"}': "0+100x10",
    'tapewatch_bulk_seconds_bucket{job="indexer",le="1"}': "0+100x10",
    'tapewatch_bulk_seconds_bucket{job="indexer",le="+Inf"}': "0+100x10",
    'tapewatch_postgres_transaction_seconds_bucket{job="indexer-postgres",le="2"}': "0+100x10",
    'tapewatch_postgres_transaction_seconds_bucket{job="indexer-postgres",le="+Inf"}': "0+100x10",
    'tapewatch_dead_letters_total{job="indexer",service="indexer"}': "0+4x10",
    'tapewatch_aborted_transactions_total{job="detector",service="detector"}': "0+1x10",
    'tapewatch_bulk_retries_total{job="indexer"}': "0+2x10",
    'tapewatch_postgres_retries_total{job="indexer-postgres"}': "0+3x10",
    'tapewatch_checkpoint_age_messages{partition="0",instance="a"}': "100x10",
    'tapewatch_checkpoint_age_messages{partition="0",instance="b"}': "90x10",
    'process_resident_memory_bytes{job="detector",instance="a"}': "1000x10",
    'process_resident_memory_bytes{job="somebody else",instance="a"}': "9000x10",
}
"""What components have counted by the minute."""

GIVEN = {
    "Services": ("{}", 1),
    "Services (B)": ("{}", 1),
    "Messages a second": ("{}", 3),
    "Messages a second (B)": ("{}", 15),
    "Messages a second (C)": ('{job="indexer"}', 1.1),
    "Lag": ('{service="indexer", topic="trades"}', 12),
    "Behind the clock": ('{service="detector"}', 4),
    "Commits: 95 % within": ('{service="detector"}', 0.15),
    "Writes to the stores: 95 % within": ('{job="indexer"}', 0.95),
    "Writes to the stores: 95 % within (B)": ('{job="indexer-postgres"}', 1.9),
    "Dead letters": ('{service="indexer"}', 8),
    "Aborted and tried again": ('{service="detector"}', 2),
    "Aborted and tried again (B)": ('{job="indexer"}', 4),
    "Aborted and tried again (C)": ('{job="indexer-postgres"}', 6),
    "Messages that a restart would read again": ('{partition="0"}', 100),
    "Memory": ('{instance="a", job="detector"}', 1000),
}
"""By the query's name, the one series that it gives: its labels, and its value in the last two minutes."""


@needs_promtool
def test_expressions_give_what_components_count(tmp_path: Path) -> None:
    texts = {one.name.removeprefix("pipeline: "): one.text for one in PROMQL}
    assert texts.keys() == GIVEN.keys()
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in SERIES.items()],
        "promql_expr_test": [
            {
                "expr": f"round({texts[name].replace('$__rate_interval', '2m')}, 0.001)",
                "eval_time": "8m",
                "exp_samples": [{"labels": labels, "value": value}],
            }
            for name, (labels, value) in GIVEN.items()
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"tests": [test], "rule_files": []}))
    assert "SUCCESS" in promtool("test", "rules", path)
