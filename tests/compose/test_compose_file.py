"""Properties of the compose file that no run of it shows."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from infra.docker import make_storage_passwords
from services.contracts.components import ALERTER, DETECTOR, FEED, INDEXER, PRODUCER
from services.contracts.postgres import READER_ROLE, WRITER_ROLE
from services.contracts.sinks import COMPONENTS
from tests.compose.stack import FILE, ROOT

WHOLE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
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
    "feed": ["brokers", "metrics", "venues"],
    "detector": ["brokers", "metrics"],
    "alerter": ["brokers", "metrics", "receivers"],
    "prometheus": ["metrics", "receivers", "charts"],
    "alertmanager": ["receivers"],
    "storage-passwords": [],
    "postgres": ["tables"],
    "setup-postgres": ["tables"],
    "indexer-postgres": ["brokers", "tables", "metrics"],
    "grafana": ["tables", "charts"],
    "indexer": ["brokers", "store", "metrics"],
    "dashboard": ["store", "metrics"],
}
"""The networks of each service: it reaches only what it needs."""
BYTES = {"m": 1 << 20, "g": 1 << 30}


STORAGE = sorted(name for name, service in SERVICES.items() if service.get("profiles") == ["storage"])


def mounts(name: str) -> dict[str, str]:
    """Return where a service has which of the project's volumes."""
    volumes = [str(one).split(":") for one in SERVICES[name].get("volumes", [])]
    return {one[0]: one[1] for one in volumes if one[0] in WHOLE["volumes"]}


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


def test_databentos_packages_are_only_in_the_images_that_publish() -> None:
    dockerfile = (ROOT / "infra" / "docker" / "Dockerfile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    stages = re.findall(
        r"^FROM (\S+) AS (\S+)\n(?:COPY .+\n)?RUN --mount=\S+ \S+/install-extras(.*)$", dockerfile, re.M
    )
    layers = {name: (below, installed.split()) for below, name, installed in stages}
    assert len(layers) == 8

    def packages(stage: str) -> set[str]:
        below, installed = layers.get(stage, ("", []))
        return {one for extra in installed for one in extras[extra]} | (packages(below) if below else set())

    holding = {
        name
        for below, name in re.findall(r"^FROM (\S+) AS (\S+)$", dockerfile, re.M)
        if any(package.startswith("databento") for package in packages(below))
    }
    assert holding == {"producer", "feed"}
    for service in ("producer", "detector", "alerter", "indexer", "postgres", "dashboard"):
        assert {*extras[service]} <= packages(f"{service}-packages")
    for image in ("indexer-postgres", "setup"):
        assert f"FROM postgres-packages AS {image}\n" in dockerfile
    assert not {*extras["postgres"]} & packages("indexer-packages")
    assert {*extras["feeds"], *extras["databento"]} <= packages("producer-packages")
    assert "FROM producer-packages AS feed\n" in dockerfile
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
    version = r"\d+\.\d+" if name == "postgres" else r"v?\d+\.\d+\.\d+"
    assert re.fullmatch(rf"[\w/]+:{version}(@sha256:[0-9a-f]{{64}})?", SERVICES[name]["image"])


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
    secret = [name for name in names if re.search("PASSWORD|API_KEY|ENCRYPTION|SECRET_KEY", name, re.I)]
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
    for port in ("DASHBOARD_PORT", "KIBANA_PORT", "CONSOLE_PORT", "PROMETHEUS_PORT"):
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
    assert ports == {name: one.metrics_port for name, one in COMPONENTS.items()}
    for image in images:
        if (port := ports.get(image.split()[2])) is not None:
            assert f"EXPOSE {port}\n" in image
            assert f"http://127.0.0.1:{port}/readyz" in image


def test_dashboard_looks_where_the_images_serve_their_metrics() -> None:
    services = ",".join(f"{one.service}:{one.metrics_port}" for one in (PRODUCER, DETECTOR, ALERTER, INDEXER))
    feed = f"{FEED.service}:{FEED.metrics_port}"
    wanted = f"{services}${{FEED:+,{feed}}}"
    assert SERVICES["dashboard"]["environment"]["TAPEWATCH_SERVICES"] == wanted


def test_a_feed_starts_only_when_it_is_asked_for() -> None:
    feed = SERVICES["feed"]
    assert feed["profiles"] == ["live"]
    assert feed["environment"]["FEED"] == SERVICES["producer"]["environment"]["FEED"] == "${FEED:-}"
    assert feed["restart"] == "unless-stopped", "it resumes after a restart of the machine"
    assert "ports" not in feed
    others = [name for name, service in SERVICES.items() if "feed" in service.get("depends_on", {})]
    assert others == []


def test_the_feed_alone_reaches_the_venues() -> None:
    reaching = [name for name, service in SERVICES.items() if "venues" in service.get("networks", [])]
    assert reaching == ["feed"]


def test_receivers_are_reached_by_what_sends_to_them_alone() -> None:
    reaching = {name for name, service in SERVICES.items() if "receivers" in service.get("networks", [])}
    assert reaching == {"alerter", "prometheus", "alertmanager"}


def test_the_alerter_takes_rules_and_secrets_of_a_users_own_and_works_without() -> None:
    alerter = SERVICES["alerter"]
    rules, secrets = alerter["volumes"]
    assert alerter["command"] == f"${{ALERT_RULES:+--rules {rules['target']}}}"
    assert rules["source"] == "${ALERT_RULES:-./infra/docker/no-rules}"
    assert (secrets["source"], secrets["target"]) == (
        "${ALERT_SECRETS:-./infra/docker/no-data}",
        "/run/secrets",
    )
    for mount in (rules, secrets):
        assert mount["read_only"]
        assert not mount["bind"]["create_host_path"]
        assert (ROOT / mount["source"].partition(":-")[2].rstrip("}")).exists()


def test_the_alerters_links_lead_where_the_ports_are_open() -> None:
    environment = SERVICES["alerter"]["environment"]
    for variable, service in (("TAPEWATCH_DASHBOARD_URL", "dashboard"), ("TAPEWATCH_KIBANA", "kibana")):
        (port,) = SERVICES[service]["ports"]
        assert environment[variable] == f"http://{port.rpartition(':')[0]}"


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_monitoring_starts_only_when_it_is_asked_for(name: str) -> None:
    service = SERVICES[name]
    assert service["profiles"] == ["monitoring"]
    assert service["read_only"]
    assert [name for name, one in SERVICES.items() if name in one.get("depends_on", {})] == []
    (configuration,) = (mount for mount in service["volumes"] if mount.startswith("./"))
    folder, inside, mode = configuration.split(":")
    assert mode == "ro"
    given = next(one for one in service["command"] if one.startswith("--config.file=")).partition("=")[2]
    assert given.startswith(f"{inside}/")
    assert (ROOT / folder / given.removeprefix(f"{inside}/")).is_file()


def test_a_venues_key_is_a_secret_of_the_feed_alone() -> None:
    environment = SERVICES["feed"]["environment"]
    variables = sorted(
        variable
        for path in (ROOT / "services" / "sources" / "feeds").glob("*.py")
        for venue, part in re.findall(r'key_of\("([A-Z]+)"(?:, "([A-Z]+)")?\)', path.read_text())
        for variable in [f"TAPEWATCH_{venue}_{part or 'KEY'}_FILE"]
    )
    assert variables
    assert sorted(name for name in environment if name.endswith("_FILE")) == variables
    for variable in variables:
        secret = variable.removeprefix("TAPEWATCH_").removesuffix("_FILE").lower().replace("_", "-")
        assert secret in SERVICES["feed"]["secrets"]
        assert environment[variable] == f"${{{variable}:+/run/secrets/{secret}}}"
        assert WHOLE["secrets"][secret] == {"file": f"${{{variable}:-./infra/docker/no-key}}"}
    assert (ROOT / "infra" / "docker" / "no-key").is_file()
    assert [name for name, service in SERVICES.items() if "secrets" in service] == ["feed"]


def test_the_detectors_profile_and_the_dashboards_exchange_can_be_chosen() -> None:
    assert SERVICES["detector"]["command"] == ["--profile", "${PROFILE:-default}"]
    assert SERVICES["dashboard"]["environment"]["TAPEWATCH_EXCHANGE"] == "${TAPEWATCH_EXCHANGE:-}"


def test_postgres_and_grafana_start_only_when_they_are_asked_for() -> None:
    assert STORAGE == ["grafana", "indexer-postgres", "postgres", "setup-postgres", "storage-passwords"]
    others = {name: service for name, service in SERVICES.items() if name not in STORAGE}
    for name, service in others.items():
        assert not set(service.get("depends_on", {})) & set(STORAGE), name
    # Of what the profile brings, nothing is there without it, apart from Prometheus's way to Grafana.
    usual = {name: service for name, service in others.items() if "profiles" not in service}
    assert not [name for name in usual if {"tables", "charts"} & set(REACHED[name])]
    volumes = set().union(*map(mounts, STORAGE))
    assert volumes
    assert not [name for name in usual if volumes & mounts(name).keys()]
    assert not [name for name in usual if "POSTGRES" in str(usual[name].get("environment", {}))]


def test_each_service_of_the_storage_has_the_passwords_that_it_needs_alone() -> None:
    made = mounts("storage-passwords")
    assert made == {
        "storage-passwords": f"/run/tapewatch/{make_storage_passwords.ALL}",
        "postgres-password": f"/run/tapewatch/{make_storage_passwords.POSTGRES}",
        "writer-password": f"/run/tapewatch/{make_storage_passwords.WRITER}",
        "grafana-secrets": f"/run/tapewatch/{make_storage_passwords.GRAFANA}",
    }
    having = {
        volume: {name: mounts(name)[volume] for name in SERVICES if volume in mounts(name)} for volume in made
    }
    for volume, owner in {
        "storage-passwords": "setup-postgres",
        "postgres-password": "postgres",
        "writer-password": "indexer-postgres",
        "grafana-secrets": "grafana",
    }.items():
        assert having[volume] == dict.fromkeys(("storage-passwords", owner), made[volume])
        assert f"{volume}:{made[volume]}:ro" in SERVICES[owner]["volumes"]
    stage = (ROOT / "infra" / "docker" / "Dockerfile").read_text().partition(" AS setup\n")[2]
    private, public = stage.partition("--mode 700")[2].split("--mode 755")
    for folder in made.values():
        is_read_by_others = folder.rpartition("/")[2] in make_storage_passwords.READ_BY_OTHERS
        assert folder in (public if is_read_by_others else private).split()


def test_each_service_of_the_storage_logs_in_as_a_role_of_its_own() -> None:
    addresses = {
        name: value
        for service in STORAGE
        for name, value in SERVICES[service].get("environment", {}).items()
        if str(value).startswith("postgresql://")
    }
    database = SERVICES["postgres"]["environment"]["POSTGRES_DB"]
    superuser = make_storage_passwords.SUPERUSER
    assert addresses == {
        "TAPEWATCH_POSTGRES_ADMIN": f"postgresql://{superuser}@postgres:5432/{database}?sslmode=disable",
        "TAPEWATCH_POSTGRES": f"postgresql://{WRITER_ROLE}@postgres:5432/{database}?sslmode=disable",
    }
    handed_out = make_storage_passwords.HANDED_OUT
    assert handed_out == {
        "postgres": superuser,
        "writer": WRITER_ROLE,
        "grafana": READER_ROLE,
    }
    setup = SERVICES["setup-postgres"]["environment"]
    folder = f"/run/tapewatch/{make_storage_passwords.ALL}"
    assert setup["TAPEWATCH_POSTGRES_SECRETS_DIR"] == folder
    assert setup["TAPEWATCH_POSTGRES_ADMIN_PASSWORD_FILE"] == f"{folder}/{superuser}.password"


def test_postgres_keeps_its_data_and_lets_nobody_in_without_a_password() -> None:
    postgres = SERVICES["postgres"]
    # Since 18 the image has its data in a folder of its version below this one.
    assert mounts("postgres")["postgres"] == "/var/lib/postgresql"
    assert postgres["environment"]["POSTGRES_INITDB_ARGS"] == "--auth=scram-sha-256"
    assert "POSTGRES_HOST_AUTH_METHOD" not in postgres["environment"]
    assert postgres["user"] == "postgres"
    assert postgres["read_only"]
    assert "--host=127.0.0.1" in postgres["healthcheck"]["test"]


def test_grafana_has_no_default_password_lets_nobody_in_unnamed_and_tells_nobody_of_itself() -> None:
    grafana = SERVICES["grafana"]
    environment = grafana["environment"]
    for name, file in (
        ("GF_SECURITY_ADMIN_PASSWORD__FILE", "admin.password"),
        ("GF_SECURITY_SECRET_KEY__FILE", "secret-key"),
    ):
        assert environment[name] == f"/run/tapewatch/{make_storage_passwords.GRAFANA}/{file}"
    off = {
        "GF_AUTH_ANONYMOUS_ENABLED",
        "GF_USERS_ALLOW_SIGN_UP",
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
        "GF_NEWS_NEWS_FEED_ENABLED",
        "GF_SNAPSHOTS_EXTERNAL_ENABLED",
        "GF_PLUGINS_PLUGIN_ADMIN_ENABLED",
    }
    assert {name for name, value in environment.items() if value == "false"} >= off
    # On a read-only file system, an update at the start would unload the plugin for Postgres.
    assert grafana["read_only"]
    assert environment["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"


def test_the_end_of_the_storages_setup_says_how_to_get_in() -> None:
    script = (ROOT / "infra" / "docker" / "set-up-storage").read_text()
    service = SERVICES["setup-postgres"]
    assert service["entrypoint"] == ["/app/infra/docker/set-up-storage"]
    for port, name in (("GRAFANA_PORT", "grafana"), ("POSTGRES_PORT", "postgres")):
        assert f"${port}" in script
        (opened,) = SERVICES[name]["ports"]
        assert service["environment"][port] in opened
    for user in (make_storage_passwords.GRAFANA_ADMIN, READER_ROLE):
        assert f"docker compose run --rm storage-passwords {user}" in script


def test_grafana_has_every_file_and_variable_that_its_provisioning_names() -> None:
    grafana = SERVICES["grafana"]
    folders = dict(
        mount.removesuffix(":ro").split(":") for mount in grafana["volumes"] if mount.startswith("./")
    )
    provisioning, dashboards = folders
    assert folders[provisioning] == "/etc/grafana/provisioning"
    texts = [path.read_text() for path in (ROOT / provisioning).rglob("*.yaml")]
    named = {variable for text in texts for variable in re.findall(r"\$(TAPEWATCH_\w+)", text)}
    assert named
    assert named == {name for name in grafana["environment"] if name.startswith("TAPEWATCH_")}
    (file,) = (found for text in texts for found in re.findall(r"\$__file\{(.+)\}", text))
    assert file == f"{mounts('grafana')['grafana-secrets']}/password"
    (path,) = (found for text in texts for found in re.findall(r"^ +path: (\S+)$", text, re.M))
    assert path == folders[dashboards]
    assert list((ROOT / dashboards).glob("*.json"))
