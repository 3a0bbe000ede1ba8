"""Properties of the compose file with TLS and a login for Kafka that no run of it shows."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.docker import make_kafka_secrets
from infra.setup.kafka_access import USERS
from services.contracts.sinks import COMPONENTS
from tests.compose.secure_file import MOUNT, SECURE_FILE, kafka_volume, services
from tests.compose.stack import FILE, ROOT

PLAIN: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
SERVICES = services()
CLIENTS = {
    "setup": "tapewatch-admin",
    "producer": "tapewatch-producer",
    "feed": "tapewatch-feed",
    "detector": "tapewatch-detector",
    "alerter": "tapewatch-alerter",
    "indexer": "tapewatch-indexer",
    "indexer-postgres": "tapewatch-indexer",
}
"""Our services that connect to Kafka, and their users: both indexers are one."""


def settings(name: str, services: dict[str, dict[str, Any]] = SERVICES) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(services["redpanda"]["environment"][name])
    return found


def test_each_client_of_kafka_logs_in_as_a_user_of_its_own() -> None:
    users = {
        name: service["environment"]["TAPEWATCH_KAFKA_USER"]
        for name, service in SERVICES.items()
        if "TAPEWATCH_KAFKA_USER" in service.get("environment", {})
    }
    assert users == CLIENTS
    assert {*COMPONENTS, "setup"} == CLIENTS.keys()
    for name, user in CLIENTS.items():
        environment = SERVICES[name]["environment"]
        assert environment["TAPEWATCH_KAFKA_TLS"] == "true"
        assert environment["TAPEWATCH_KAFKA_CA"] == f"{MOUNT}/{make_kafka_secrets.CA}"
        assert environment["TAPEWATCH_KAFKA_PASSWORD_FILE"] == f"{MOUNT}/password"
        assert make_kafka_secrets.HANDED_OUT[str(kafka_volume(SERVICES[name]))] == user


def test_a_service_has_no_other_users_secrets() -> None:
    mounting = {name: kafka_volume(service) for name, service in SERVICES.items()}
    mounted = [volume for volume in mounting.values() if volume is not None]
    assert sorted(mounted) == sorted([*make_kafka_secrets.HANDED_OUT, "kafka-indexer"])
    assert mounting["indexer-postgres"] == mounting["indexer"]
    made = [mount.split(":") for mount in SERVICES["kafka-secrets"]["volumes"]]
    assert made == [[volume, f"/run/tapewatch/{volume}"] for volume in make_kafka_secrets.HANDED_OUT]
    for name, service in SERVICES.items():
        own = [str(mount) for mount in service.get("volumes", []) if str(mount).startswith("kafka-")]
        assert name == "kafka-secrets" or own == ([f"{mounting[name]}:{MOUNT}:ro"] if mounting[name] else [])


def test_the_image_has_a_folder_for_each_volume() -> None:
    stage = (ROOT / "infra" / "docker" / "Dockerfile").read_text().partition(" AS setup\n")[2]
    private, public = stage.partition("--mode 700")[2].split("--mode 755")
    for volume in make_kafka_secrets.HANDED_OUT:
        folders = public if volume in make_kafka_secrets.READ_BY_OTHERS else private
        assert f"/run/tapewatch/{volume}" in folders.split()


def test_setup_creates_every_user_but_the_brokers_first_one() -> None:
    assert {*USERS, make_kafka_secrets.ADMIN} == {*make_kafka_secrets.USERS}
    assert SERVICES["setup"]["environment"]["TAPEWATCH_KAFKA_SECRETS_DIR"] == MOUNT


def test_every_port_of_the_broker_has_tls_and_a_login() -> None:
    listening = " ".join(SERVICES["redpanda"]["command"]).partition("--kafka-addr ")[2].split()[0]
    names = [address.partition("://")[0] for address in listening.split(",")]
    tls = settings("NODE_SETTINGS")["redpanda"]["kafka_api_tls"]
    assert [one["name"] for one in tls] == names
    for one in tls:
        assert one["enabled"]
        assert {one["cert_file"], one["key_file"], one["truststore_file"]} == {
            f"{MOUNT}/broker.crt",
            f"{MOUNT}/broker.key",
            f"{MOUNT}/ca.crt",
        }
    cluster = settings("CLUSTER_SETTINGS")
    assert cluster["enable_sasl"] is True
    assert cluster["superusers"] == [make_kafka_secrets.ADMIN]
    # Whoever may use it can create users; it asks for no login.
    assert [one["address"] for one in settings("NODE_SETTINGS")["redpanda"]["admin"]] == ["127.0.0.1"]


def test_the_broker_has_the_settings_of_the_plain_file_otherwise() -> None:
    node = settings("NODE_SETTINGS")
    del node["redpanda"]["kafka_api_tls"]
    assert node == settings("NODE_SETTINGS", PLAIN)
    cluster = settings("CLUSTER_SETTINGS")
    del cluster["enable_sasl"], cluster["superusers"]
    assert cluster == settings("CLUSTER_SETTINGS", PLAIN)
    assert SERVICES["redpanda"]["command"] == PLAIN["redpanda"]["command"]
    assert len(PLAIN["redpanda"]["command"]) == 1
    assert SERVICES["redpanda"]["healthcheck"] == PLAIN["redpanda"]["healthcheck"]


def test_no_password_is_in_the_file() -> None:
    named = [
        (name, value)
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if "PASSWORD" in name
    ]
    assert named
    assert all(name.endswith("_FILE") and value.startswith("/run/tapewatch/") for name, value in named)
    entrypoints = [str(SERVICES[name]["entrypoint"]) for name in ("redpanda", "console")]
    assert all(f"cat {MOUNT}/password" in entrypoint for entrypoint in entrypoints)


def test_the_project_is_another_one() -> None:
    names = {yaml.safe_load(file.read_text())["name"] for file in (FILE, SECURE_FILE)}
    assert len(names) == 2


def test_the_job_can_do_no_more_than_the_other_jobs() -> None:
    ours, others = SERVICES["kafka-secrets"], SERVICES["passwords"]
    for key in others.keys() - {"build", "entrypoint", "volumes", "stop_grace_period"}:
        assert ours[key] == others[key], key


def test_a_shell_hands_the_command_on_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret")
    shell, flag, script = SERVICES["redpanda"]["entrypoint"]
    script = script.replace("$$", "$").replace(MOUNT, str(tmp_path))
    command = 'printf \'%s|%s\' "$RP_BOOTSTRAP_USER" "$NODE_SETTINGS"'
    done = subprocess.run(
        [shell, flag, script, command],
        env={"NODE_SETTINGS": "a b"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "tapewatch-admin:s3cret:SCRAM-SHA-512|a b"


def test_compose_merges_the_files_as_these_tests_do() -> None:
    files = ["--file", str(FILE), "--file", str(SECURE_FILE), "--profile", "*"]
    command = ["docker", "compose", *files, "config", "--format", "json"]
    if shutil.which("docker") is None:
        pytest.skip("needs docker compose")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs docker compose: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    assert found["name"] == "tapewatch-secure"
    assert found["services"].keys() == SERVICES.keys()
    for name, service in SERVICES.items():
        merged = found["services"][name]
        assert merged["entrypoint"] == service.get("entrypoint")
        assert merged["image"] == service["image"]
        environment = service.get("environment", {})
        assert merged.get("environment", {}).keys() == environment.keys()
        assert all(
            merged["environment"][key] == value
            for key, value in environment.items()
            if "KAFKA" in key or "SETTINGS" in key
        )
        volumes = {mount["target"]: mount["source"] for mount in merged.get("volumes", [])}
        assert volumes.get(MOUNT) == kafka_volume(service)
        assert len(volumes) == len(service.get("volumes", []))
        assert merged.get("depends_on", {}).keys() == service.get("depends_on", {}).keys()
