import re
from typing import Any

import jsonschema
import pytest
import yaml

from infra.kubernetes.files import FOLDER, made_files
from infra.kubernetes.kafka_resources import ADMIN, topic_resources
from infra.setup.access import USERS as STORE_USERS
from infra.setup.kafka_access import USERS as KAFKA_USERS
from infra.setup.settings import SetupSettings
from infra.setup.topic_layout import FoundTopic, check_layout
from services.alerter.rules.reading import parse_rules
from services.contracts.components import ALERTER, DETECTOR, FEED, INDEXER
from services.contracts.topics import TOPICS
from tests.docs.pages import ROOT
from tests.unit.infra.kubernetes.manifests import (
    CRD_FOLDER,
    Resource,
    closed,
    crds,
    is_core,
    pod_of,
    resources,
    title,
)

ALL = resources()
OURS = {one["metadata"]["name"]: one for one in ALL if one["kind"] in ("Deployment", "Job")}
DEPLOYMENTS = {name: one for name, one in OURS.items() if one["kind"] == "Deployment"}
PORTS = {one.service: one.metrics_port for one in (DETECTOR, INDEXER, ALERTER, FEED)}
KUBERNETES = "1.33"
DOCKERFILE = (ROOT / "infra" / "docker" / "Dockerfile").read_text()


def container(resource: Resource) -> Resource:
    [only] = pod_of(resource)["containers"]
    found: Resource = only
    return found


def env(resource: Resource) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container(resource)["env"]}


@pytest.mark.parametrize("resource", [one for one in ALL if is_core(one)], ids=title)
def test_what_kubernetes_defines_is_valid_by_its_published_schema(resource: Resource) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    kubernetes_validate.validate(resource, KUBERNETES, strict=True)


@pytest.mark.parametrize("resource", [one for one in ALL if not is_core(one)], ids=title)
def test_what_an_operator_defines_is_valid_by_its_published_schema(resource: Resource) -> None:
    schema = crds().get((resource["apiVersion"], resource["kind"]))
    if schema is None:
        pytest.skip(f"{CRD_FOLDER} is no folder with the definition of {resource['kind']}")
    jsonschema.validate(resource, schema | {"properties": schema["properties"] | {"metadata": {}}})


def test_what_is_made_from_code_is_up_to_date() -> None:
    for name, text in made_files().items():
        assert (FOLDER / name).read_text() == text, f"run `python -m infra.kubernetes`: {name}"


def test_setup_accepts_the_topics_that_the_operator_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in env(OURS["setup"]).items():
        monkeypatch.setenv(name, value)
    settings = SetupSettings()
    made = {one["metadata"]["name"]: one["spec"] for one in topic_resources()}
    assert made.keys() == TOPICS.keys()
    found = {name: FoundTopic(spec["partitions"], spec["replicas"]) for name, spec in made.items()}
    check_layout(settings.topic_layout(), found, missing=0, brokers=3)
    in_sync = str(settings.min_insync_replicas)
    for name, spec in made.items():
        assert spec["config"] == TOPICS[name] | {"min.insync.replicas": in_sync}


def test_every_service_has_a_deployment() -> None:
    assert set(DEPLOYMENTS) == {*PORTS, "dashboard"}


@pytest.mark.parametrize("name", PORTS)
def test_a_services_probes_ask_its_own_port(name: str) -> None:
    found = container(DEPLOYMENTS[name])
    asked = {probe: found[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {get["port"] for get in asked.values()} == {PORTS[name]}
    assert {probe: get["path"] for probe, get in asked.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert found["ports"] == [{"name": "metrics", "containerPort": PORTS[name]}]
    assert env(DEPLOYMENTS[name])["TAPEWATCH_METRICS_HOST"] == "0.0.0.0"  # noqa: S104 - of a pod


@pytest.mark.parametrize("name", OURS)
def test_a_pod_may_do_nothing_but_its_work(name: str) -> None:
    pod, found = pod_of(OURS[name]), container(OURS[name])
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert found["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert found["resources"]["limits"]["memory"] == found["resources"]["requests"]["memory"]
    assert "cpu" in found["resources"]["requests"]


@pytest.mark.parametrize("name", OURS)
def test_secrets_come_from_files_that_are_mounted(name: str) -> None:
    pod, found = pod_of(OURS[name]), container(OURS[name])
    assert all(set(one) == {"name", "value"} for one in found["env"])  # none from a Secret
    mounted = {one["mountPath"]: one["name"] for one in found["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert set(mounted.values()) == set(volumes)
    for variable, path in env(OURS[name]).items():
        if re.search(r"_(FILE|CA)$", variable):
            folder, _, file = path.rpartition("/")
            assert file in [item["path"] for item in volumes[mounted[folder]]["secret"]["items"]]
        else:
            assert not re.search(r"PASSWORD|SECRET(?!S_DIR)|KEY", variable)


@pytest.mark.parametrize("name", OURS)
def test_a_pod_logs_in_as_a_user_that_exists_with_that_users_own_password(name: str) -> None:
    given = env(OURS[name])
    secrets = {one["name"]: one["secret"] for one in pod_of(OURS[name])["volumes"] if "secret" in one}
    if (user := given.get("TAPEWATCH_KAFKA_USER")) is not None:
        assert user in {*KAFKA_USERS, ADMIN}
        assert secrets["kafka"]["secretName"] == user
    if (user := given.get("TAPEWATCH_ELASTICSEARCH_USER")) not in (None, "elastic"):
        assert user in STORE_USERS
        assert secrets["elasticsearch"]["items"] == [{"key": f"{user}.password", "path": "password"}]


@pytest.mark.parametrize("name", OURS)
def test_settings_and_images_are_those_that_there_are(name: str) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert [one for one in env(OURS[name]) if one.startswith("TAPEWATCH_") and f"`{one}`" not in page] == []
    image = container(OURS[name])["image"].removeprefix("tapewatch-").partition(":")[0]
    assert f" AS {image}\n" in DOCKERFILE


def test_the_alerters_rules_can_be_read() -> None:
    [rules] = [one["data"]["rules.yaml"] for one in ALL if title(one) == "ConfigMap alert-rules"]
    assert [rule.name for rule in parse_rules(rules).rules] == ["anomalies"]


def test_a_schema_that_is_closed_rejects_what_it_does_not_know_and_nothing_else() -> None:
    schema: dict[str, Any] = yaml.safe_load("""
        type: object
        properties:
          size: {x-kubernetes-int-or-string: true}
          config: {type: object, x-kubernetes-preserve-unknown-fields: true}
          labels: {type: object, additionalProperties: {type: string}}
          maybe: {type: string, nullable: true}
    """)
    right = {"size": "1Gi", "config": {"a": 1}, "labels": {"b": "c"}, "maybe": None}
    jsonschema.validate(right, closed(schema))
    jsonschema.validate({"size": 1}, closed(schema))
    for wrong in ({"sise": 1}, {"labels": {"b": 1}}, {"config": 3}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, closed(schema))
