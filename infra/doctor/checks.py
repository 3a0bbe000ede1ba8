"""What is looked at, and what is said of it: one `Diagnosis` for each."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from confluent_kafka import KafkaException, libversion

from infra.setup.whole_sizes import describe_whole_sizes, whole_size_indices
from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import ApiError, TransportError
from services.common.elastic.mappings import AUTO_CREATE, uncreatable_index
from services.common.elastic.preflight import check_indices, missing_templates
from services.common.elastic.product import check_product
from services.common.errors import TapewatchError
from services.common.kafka.access import BrokerAccess
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.coordinator import (
    OFFSETS_TOPIC,
    PROBE_TIMEOUT_S,
    StuckCoordinator,
    find_stuck_coordinator,
)
from services.common.kafka.preflight import check_topics as check_topic_settings
from services.contracts.components import SENDER_GROUP
from services.contracts.indices import NEEDED_TEMPLATES
from services.contracts.sinks import COMPONENTS
from services.contracts.topics import TOPICS, TRADES_TOPIC

OLDEST_PYTHON = (3, 11)
LITTLE_SPACE_BYTES = 2_000_000_000
LIBRARIES = ("confluent-kafka", "elasticsearch", "polars", "coniferest", "streamlit")

_LOGIN_REJECTED = (401, 403)


@dataclass(frozen=True)
class Diagnosis:
    """What one check found; `hint` says what to do and is empty when all is well."""

    subject: str
    finding: str
    hint: str = ""


def check_python() -> Diagnosis:
    """Check the interpreter and name the versions of the main libraries."""
    return judge_python(sys.version_info[:3], {name: _installed(name) for name in LIBRARIES})


def judge_python(python: tuple[int, ...], libraries: Mapping[str, str | None]) -> Diagnosis:
    """Judge versions: the interpreter's, and those of libraries by name, None for one that is missing."""
    named = [f"librdkafka {libversion()[0]}"]
    named += [f"{name} {found or 'not installed'}" for name, found in libraries.items()]
    finding = f"{'.'.join(map(str, python))}, {', '.join(named)}"
    if python < OLDEST_PYTHON:
        return Diagnosis("Python", finding, "Install Python 3.11 or newer.")
    if None in libraries.values():
        return Diagnosis("Python", finding, "Run `make install`.")
    return Diagnosis("Python", finding)


def check_disk() -> Diagnosis:
    """Check that there is enough disk space where the embedded stack and the demo write."""
    return judge_disk(shutil.disk_usage(Path.cwd()).free)


def judge_disk(free_bytes: int) -> Diagnosis:
    """Judge the free space of a disk."""
    hint = "" if free_bytes >= LITTLE_SPACE_BYTES else "Free some space: a day of trades needs 2 GB."
    return Diagnosis("Disk", f"{free_bytes / 1e9:,.1f} GB free here", hint)


def check_broker(kafka: KafkaConnection) -> list[Diagnosis]:
    """Check Kafka, then the topics and groups in it; these are not waited for if it cannot be used."""
    broker = check_kafka(kafka)
    if broker.hint:
        return [broker, _without_broker("Topics"), _without_broker("Groups")]
    return [broker, check_topics(kafka), check_coordinators(kafka)]


def _without_broker(subject: str) -> Diagnosis:
    return Diagnosis(subject, "not checked, as Kafka cannot be used", "Fix Kafka first.")


def check_kafka(kafka: KafkaConnection) -> Diagnosis:
    """Check that a broker answers and accepts this client."""
    access = BrokerAccess(kafka)
    try:
        try:
            brokers = access.list_topics().brokers
        except KafkaException:  # a slow broker is asked once more, with a longer time limit
            brokers = access.list_topics().brokers
    except TapewatchError as error:
        return Diagnosis("Kafka", error.cause, error.hint)
    except KafkaException as error:
        return Diagnosis(
            "Kafka",
            f"no answer from {kafka} ({error.args[0].str()})",
            "Start it (`tapewatch stack`), or set TAPEWATCH_KAFKA to its address.",
        )
    counted = f"{len(brokers)} broker{'s' if len(brokers) != 1 else ''}"
    return Diagnosis("Kafka", f"{kafka}, {counted}, {kafka.protection}")


def check_topics(kafka: KafkaConnection) -> Diagnosis:
    """Check that every topic exists, and that none has settings that would lose or repeat data."""
    admin = new_admin(kafka)
    try:
        found = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        missing = [name for name in TOPICS if name not in found]
        if missing:
            return Diagnosis("Topics", f"missing: {', '.join(missing)}", "Run `tapewatch setup`.")
        check_topic_settings(admin, list(TOPICS))
    except TapewatchError as error:
        return Diagnosis("Topics", error.cause, error.hint)
    except KafkaException:
        return _without_broker("Topics")
    partitions = len(found[TRADES_TOPIC].partitions)
    counted = f"{partitions} partition{'' if partitions == 1 else 's'}"
    return Diagnosis("Topics", f"all {len(TOPICS)}, trades with {counted}")


def check_coordinators(kafka: KafkaConnection, timeout_s: float = PROBE_TIMEOUT_S) -> Diagnosis:
    """Check that the groups' coordinators can write, which a group needs to hand out partitions.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    timeout_s
        A coordinator that has accepted no write for so long is stuck.
    """
    try:
        topics = new_admin(kafka).list_topics(timeout=REQUEST_TIMEOUT_S).topics
        topic = TRADES_TOPIC if TRADES_TOPIC in topics else OFFSETS_TOPIC
        groups = [component.group for component in COMPONENTS.values() if component.group]
        return judge_coordinators(
            [find_stuck_coordinator(kafka, group, topic, timeout_s) for group in (*groups, SENDER_GROUP)]
        )
    except KafkaException:
        return _without_broker("Groups")


def judge_coordinators(found: Sequence[StuckCoordinator | None]) -> Diagnosis:
    """Judge coordinators: None for each that can write."""
    stuck = [one for one in found if one is not None]
    if not stuck:
        return Diagnosis("Groups", "all coordinators accept commits")
    findings = "; ".join(one.finding for one in stuck)
    return Diagnosis("Groups", findings, " ".join(dict.fromkeys(one.hint for one in stuck)))


def check_elasticsearch(client: Elasticsearch, url: str) -> Diagnosis:
    """Check that the cluster answers, is of the client's major version, and has all its shards."""
    client = client.options(request_timeout=REQUEST_TIMEOUT_S)
    try:
        check_product(client, url)
        status = client.cluster.health()["status"]
        number = client.info()["version"]["number"]
    except TapewatchError as error:
        return Diagnosis("Elasticsearch", error.cause, error.hint)
    except ApiError as error:
        return judge_error(url, error)
    except TransportError as error:
        return Diagnosis(
            "Elasticsearch",
            f"no answer from {url} ({str(error)[:120]})",
            "Start it (`tapewatch stack`), or set TAPEWATCH_ELASTICSEARCH to its address.",
        )
    return judge_cluster(url, number, status)


def judge_cluster(url: str, number: str, status: str) -> Diagnosis:
    """Judge a cluster by its version's number and its health's colour."""
    finding = f"{url}, version {number}, {status}"
    if status == "red":
        return Diagnosis("Elasticsearch", finding, "Shards are missing: check the cluster's log.")
    return Diagnosis("Elasticsearch", finding)


def judge_error(url: str, error: ApiError) -> Diagnosis:
    """Judge an answer that is an error."""
    status = error.status_code
    if status in _LOGIN_REJECTED:
        return Diagnosis(
            "Elasticsearch",
            f"{url} rejects this login ({status})",
            "Set TAPEWATCH_ELASTICSEARCH_USER and TAPEWATCH_ELASTICSEARCH_PASSWORD_FILE, or "
            "TAPEWATCH_ELASTICSEARCH_API_KEY_FILE.",
        )
    return Diagnosis(
        "Elasticsearch",
        f"{url} answers with status {status} ({str(error)[:120]})",
        "If it is not Elasticsearch, set TAPEWATCH_ELASTICSEARCH to its address; otherwise check its log.",
    )


def check_templates(client: Elasticsearch) -> Diagnosis:
    """Check that the index templates exist, and that no other template or setting defeats them."""
    client = client.options(request_timeout=REQUEST_TIMEOUT_S)
    try:
        if missing := missing_templates(client):
            return Diagnosis("Templates", f"missing: {', '.join(missing)}", "Run `tapewatch setup`.")
        check_indices(client)
        uncreatable = uncreatable_index(client)
    except TapewatchError as error:
        return Diagnosis("Templates", error.cause, error.hint)
    except (ApiError, TransportError):
        return Diagnosis(
            "Templates", "not checked, as Elasticsearch does not answer", "Fix Elasticsearch first."
        )
    if uncreatable is not None:
        return Diagnosis(
            "Templates",
            f"the cluster's setting {AUTO_CREATE} keeps documents from creating the index {uncreatable}, and "
            "the indexer waits with them",
            f"Set {AUTO_CREATE} to true, or to patterns that allow trades-*, anomalies-*, corrections-*, "
            "feed-events-*, alerts-*, alert-deliveries-* and silences.",
        )
    return Diagnosis("Templates", f"all {len(NEEDED_TEMPLATES)}")


def check_sizes(client: Elasticsearch) -> Diagnosis:
    """Name the indices that keep whole sizes only, which is no fault while no others come."""
    try:
        old = whole_size_indices(client.options(request_timeout=REQUEST_TIMEOUT_S))
    except ApiError as error:
        return Diagnosis("Sizes", f"not checked, as Elasticsearch answers with status {error.status_code}")
    except TransportError:
        return Diagnosis("Sizes", "not checked, as Elasticsearch does not answer", "Fix Elasticsearch first.")
    return Diagnosis("Sizes", describe_whole_sizes(old) if old else "with decimals in every index")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
