"""Properties of the compose file that no run of it shows."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from services.contracts.components import DETECTOR, INDEXER, PRODUCER
from tests.compose.stack import FILE, ROOT

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("tapewatch-"))
OTHERS = sorted(SERVICES.keys() - set(OURS))
BUILT = sorted(name for name in OURS if "build" in SERVICES[name])
REACHED = {
    "passwords": [],
    "setup": ["brokers", "store"],
    "setup-kibana": ["store"],
    "redpanda": ["brokers"],
    "elasticsearch": ["store"],
    "kibana": ["store"],
    "console": ["brokers"],
    "producer": ["brokers", "metrics"],
    "detector": ["brokers", "metrics"],
    "indexer": ["brokers", "store", "metrics"],
    "dashboard": ["store", "metrics"],
}
"""The networks of each service: it reaches only what it needs."""
BYTES = {"m": 1 << 20, "g": 1 << 30}


def memory_limit(name: str) -> int:
    """Return a service's limit in bytes."""
    limit = SERVICES[name]["mem_limit"]
    return int(limit[:-1]) * BYTES[limit[-1]]


@pytest.mark.parametrize("name", OURS)
def test_our_services_can_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["pids_limit"] == 256


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_service_can_gain_rights_or_fill_the_machine(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] <= 1024
    assert memory_limit(name) <= 2 * BYTES["g"]
    assert service["logging"]["options"]["max-size"] == "10m"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_reaches_only_what_it_needs(name: str) -> None:
    service = SERVICES[name]
    networks = [] if service.get("network_mode") == "none" else service["networks"]
    assert networks == REACHED[name]


def test_one_service_builds_an_image_that_several_use() -> None:
    assert {SERVICES[name]["image"] for name in BUILT} == {SERVICES[name]["image"] for name in OURS}
    assert len({SERVICES[name]["image"] for name in BUILT}) == len(BUILT)


def test_nothing_that_runs_on_has_the_superusers_password() -> None:
    mounting = {
        volume: {
            name
            for name, service in SERVICES.items()
            if any(str(mount).startswith(f"{volume}:") for mount in service.get("volumes", []))
        }
        for volume in ("passwords", "elastic-password")
    }
    assert mounting["passwords"] == {"passwords", "setup"}
    assert mounting["elastic-password"] == {"passwords", "elasticsearch"}
    users = {
        name: service.get("environment", {}).get("TAPEWATCH_ELASTICSEARCH_USER")
        for name, service in SERVICES.items()
    }
    assert [name for name, user in users.items() if user == "elastic"] == ["setup"]
    assert "password" not in " ".join(SERVICES["elasticsearch"]["healthcheck"]["test"])


@pytest.mark.parametrize("name", BUILT)
def test_our_images_leave_root(name: str) -> None:
    dockerfile = (ROOT / SERVICES[name]["build"]["dockerfile"]).read_text()
    stage = re.search(
        rf"^FROM \S+ AS {SERVICES[name]['build']['target']}\n(.*?)(^FROM|\Z)", dockerfile, re.M | re.S
    )
    assert stage is not None
    assert "USER 1000:1000" in stage[1]


def test_whatever_the_images_copy_is_part_of_the_build() -> None:
    dockerfile = (ROOT / "infra" / "docker" / "Dockerfile").read_text()
    copied = {
        source.partition("/")[0]
        for sources in re.findall(r"^COPY ((?!--from).+) \S+$", dockerfile, re.M)
        for source in sources.split()
    }
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.M)
    assert copied <= set(kept)


def test_databentos_packages_are_only_in_the_producers_image() -> None:
    dockerfile = (ROOT / "infra" / "docker" / "Dockerfile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    stages = re.findall(
        r"^FROM (\S+) AS (\S+)\n(?:COPY .+\n)?RUN --mount=\S+ \S+/install-extras(.*)$", dockerfile, re.M
    )
    layers = {name: (below, installed.split()) for below, name, installed in stages}
    assert len(layers) == 6

    def packages(stage: str) -> set[str]:
        below, installed = layers.get(stage, ("", []))
        return {one for extra in installed for one in extras[extra]} | (packages(below) if below else set())

    holding = {
        name
        for below, name in re.findall(r"^FROM (\S+) AS (\S+)$", dockerfile, re.M)
        if any(package.startswith("databento") for package in packages(below))
    }
    assert holding == {"producer"}
    for service in ("producer", "detector", "indexer", "dashboard"):
        assert {*extras[service]} <= packages(f"{service}-packages")
    # What is compiled for the detector is compiled with the packages that it has.
    assert "FROM detector-packages AS numba-cache\n" in dockerfile
    assert "FROM detector-packages AS detector\n" in dockerfile


def test_ports_are_open_on_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_detectors_can_be_many() -> None:
    assert not {"ports", "container_name", "hostname"} & SERVICES["detector"].keys()


@pytest.mark.parametrize("name", OTHERS)
def test_images_are_pinned(name: str) -> None:
    assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", SERVICES[name]["image"])


def test_the_base_of_our_images_is_pinned() -> None:
    dockerfile = (ROOT / "infra" / "docker" / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?$", dockerfile, re.M)
    started_from = set(re.findall(r"^FROM (\S+)", dockerfile, re.M))
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", dockerfile, re.M))
    assert started_from - stages == {"${BASE}"}


@pytest.mark.parametrize("name", ["elasticsearch", "kibana"])
def test_server_and_client_have_the_same_minor_version(name: str) -> None:
    client = re.search(r"^elasticsearch==(\d+\.\d+)\.", (ROOT / "requirements.lock").read_text(), re.M)
    assert client is not None
    assert SERVICES[name]["image"].startswith(f"{name}:{client[1]}.")


def test_no_password_is_in_the_file() -> None:
    names = [name for service in SERVICES.values() for name in service.get("environment", {})]
    secret = [name for name in names if re.search("PASSWORD|API_KEY|ENCRYPTION", name, re.I)]
    assert secret
    assert all(name.endswith("_FILE") for name in secret)


def test_setup_logs_in_at_kibana_with_a_file() -> None:
    environment = SERVICES["setup-kibana"]["environment"]
    assert environment["TAPEWATCH_KIBANA"] == "http://kibana:5601"
    assert environment["TAPEWATCH_KIBANA_USER"] == "tapewatch-kibana-setup"
    assert environment["TAPEWATCH_KIBANA_PASSWORD_FILE"] == "/run/tapewatch/kibana-setup/password"


def test_the_end_of_the_start_names_every_address() -> None:
    script = (ROOT / "infra" / "docker" / "finish-setup").read_text()
    assert SERVICES["setup-kibana"]["entrypoint"] == ["/app/infra/docker/finish-setup"]
    environment = SERVICES["setup-kibana"]["environment"]
    for port in ("DASHBOARD_PORT", "KIBANA_PORT", "CONSOLE_PORT"):
        assert f"http://127.0.0.1:${port} " in script
        mapped = [one for service in SERVICES.values() for one in service.get("ports", [])]
        assert any(environment[port] in one for one in mapped)


def test_elasticsearch_has_security() -> None:
    assert SERVICES["elasticsearch"]["environment"]["xpack.security.enabled"] == "true"


def test_redpanda_syncs_to_the_disk() -> None:
    command = " ".join(SERVICES["redpanda"]["command"])
    assert "dev-container" not in command
    assert "unsafe-bypass-fsync" not in command
    settings = SERVICES["redpanda"]["environment"]
    assert yaml.safe_load(settings["NODE_SETTINGS"])["redpanda"]["developer_mode"] is False
    assert yaml.safe_load(settings["CLUSTER_SETTINGS"])["write_caching_default"] == "false"
    for name, file in (("NODE_SETTINGS", "redpanda.yaml"), ("CLUSTER_SETTINGS", ".bootstrap.yaml")):
        assert f"printf '%s' \"$${name}\" > /etc/redpanda/{file}" in command


def test_a_checkout_that_only_its_owner_may_read_is_enough() -> None:
    assert not [one for one in map(str, SERVICES["redpanda"]["volumes"]) if one.startswith("./")]
    dockerfile = (ROOT / "infra" / "docker" / "Dockerfile").read_text()
    for stage in re.split(r"^FROM ", dockerfile, flags=re.M)[1:]:
        copied = re.findall(r"^COPY (?:cli|services|dashboard|infra)\b.* (?!/tools/bin/)\S+$", stage, re.M)
        assert not copied or "RUN chmod -R a+rX" in stage, stage.splitlines()[0]


def test_memory_fits_a_laptop() -> None:
    usual = [name for name, service in SERVICES.items() if "profiles" not in service]
    at_work = [name for name in usual if not name.startswith(("setup", "passwords"))]
    assert sum(map(memory_limit, at_work)) <= 7 * BYTES["g"]


def test_images_serve_their_metrics_on_the_ports_of_the_components() -> None:
    images = (ROOT / "infra" / "docker" / "Dockerfile").read_text().split("\nFROM ")
    ports = {
        image.split()[2]: int(found[1])
        for image in images
        if (found := re.search(r"TAPEWATCH_METRICS_PORT=(\d+)", image))
    }
    assert ports == {one.service: one.metrics_port for one in (PRODUCER, DETECTOR, INDEXER)}
    for image in images:
        if (port := ports.get(image.split()[2])) is not None:
            assert f"EXPOSE {port}\n" in image
            assert f"http://127.0.0.1:{port}/readyz" in image


def test_dashboard_looks_where_the_images_serve_their_metrics() -> None:
    services = ",".join(f"{one.service}:{one.metrics_port}" for one in (PRODUCER, DETECTOR, INDEXER))
    assert SERVICES["dashboard"]["environment"]["TAPEWATCH_SERVICES"] == services
