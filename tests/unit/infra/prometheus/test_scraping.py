from typing import Any

import pytest
import yaml

from services.contracts.sinks import COMPONENTS
from tests.compose.stack import FILE
from tests.docs.pages import ROOT
from tests.unit.infra.prometheus.test_rules import needs_promtool, promtool

FOLDER = ROOT / "infra" / "prometheus"
HERE: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]


def test_each_component_has_a_job_on_its_usual_port_of_this_machine() -> None:
    jobs = {job["job_name"]: job["static_configs"] for job in HERE["scrape_configs"]}
    assert jobs == {
        name: [{"targets": [f"127.0.0.1:{one.metrics_port}"]}] for name, one in COMPONENTS.items()
    }


def test_each_component_has_a_job_that_asks_all_its_containers() -> None:
    jobs = {job["job_name"]: job["dns_sd_configs"] for job in COMPOSE["scrape_configs"]}
    assert jobs == {
        name: [{"names": [name], "type": "A", "port": one.metrics_port}]
        for name, one in COMPONENTS.items()
        if name in SERVICES
    }
    assert jobs.keys() <= SERVICES.keys()
    prometheus = set(SERVICES["prometheus"]["networks"])
    for name in (*jobs, "alertmanager"):
        assert prometheus & set(SERVICES[name]["networks"]), name


def test_the_two_differ_in_where_they_look_alone() -> None:
    for key in ("global", "rule_files"):
        assert HERE[key] == COMPOSE[key]
    assert HERE["rule_files"] == ["rules.yaml"]


@needs_promtool
@pytest.mark.parametrize("name", ["prometheus.yml", "compose.yml"])
def test_prometheus_accepts_the_file_and_its_rules(name: str) -> None:
    assert "is valid prometheus config file syntax" in promtool("check", "config", name)


def test_alertmanager_routes_to_a_receiver_that_exists() -> None:
    given = yaml.safe_load((ROOT / "infra" / "alertmanager" / "alertmanager.yml").read_text())
    assert given["route"]["receiver"] in [one["name"] for one in given["receivers"]]
    # One notification for each alert of Tapewatch, not one for all that share a name.
    assert "alert_id" in given["route"]["group_by"]
