"""`tapewatch doctor`: checks the surroundings and says what is wrong and how to mend it."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from confluent_kafka import KafkaException, libversion
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.errors import ApiError, TransportError
from services.common.elastic.preflight import missing_templates
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin
from services.contracts.indices import NEEDED_TEMPLATES
from services.contracts.topics import PARTITIONS, TOPICS

OLDEST_PYTHON = (3, 11)
LITTLE_SPACE_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Diagnosis:
    """What one check found; `mend` says what to do and is empty when all is well."""

    subject: str
    finding: str
    mend: str = ""


def run_doctor(settings: Settings) -> int:
    """Run every check and show what it found.

    Returns
    -------
    int
        Exit code: 0 when all is well, 1 otherwise.
    """
    checks: list[Callable[[], Diagnosis]] = [
        check_python,
        check_disk,
        lambda: check_kafka(settings.kafka),
        lambda: check_topics(settings.kafka),
        lambda: check_elasticsearch(settings.elasticsearch),
        lambda: check_templates(settings.elasticsearch),
    ]
    console = Console(highlight=False)
    table = Table(box=None, show_header=False, padding=(0, 2))
    diagnoses = [check() for check in checks]
    for diagnosis in diagnoses:
        mark = Text("wrong", style="bold red") if diagnosis.mend else Text("ok", style="green")
        text = Text(diagnosis.finding)
        if diagnosis.mend:
            text.append(f"\n{diagnosis.mend}", style="yellow")
        table.add_row(mark, Text(diagnosis.subject, style="bold"), text)
    console.print(table)
    return int(any(diagnosis.mend for diagnosis in diagnoses))


def check_python() -> Diagnosis:
    """Check the interpreter and name the versions of the main libraries."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    libraries = [f"librdkafka {libversion()[0]}"]
    for package in ("confluent-kafka", "elasticsearch", "polars", "coniferest", "streamlit"):
        try:
            libraries.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            libraries.append(f"{package} not installed")
    mend = "" if sys.version_info >= OLDEST_PYTHON else "Install Python 3.11 or newer."
    return Diagnosis("Python", f"{found}, {', '.join(libraries)}", mend)


def check_disk() -> Diagnosis:
    """Check that there is space where the embedded stack and the demo write."""
    free_bytes = shutil.disk_usage(Path.cwd()).free
    mend = "" if free_bytes >= LITTLE_SPACE_BYTES else "Make room: 2 GB are needed for a day of trades."
    return Diagnosis("Disk", f"{free_bytes / 1e9:,.1f} GB free here", mend)


def check_kafka(bootstrap: str) -> Diagnosis:
    """Check that a broker answers."""
    try:
        brokers = new_admin(bootstrap).list_topics(timeout=REQUEST_TIMEOUT_S).brokers
    except KafkaException as error:
        return Diagnosis(
            "Kafka",
            f"no answer from {bootstrap} ({error.args[0].str()})",
            "Start one (`tapewatch stack`), or name another with TAPEWATCH_KAFKA.",
        )
    return Diagnosis("Kafka", f"{bootstrap}, {len(brokers)} broker{'s' if len(brokers) != 1 else ''}")


def check_topics(bootstrap: str) -> Diagnosis:
    """Check that every topic is there with the right number of partitions."""
    try:
        found = new_admin(bootstrap).list_topics(timeout=REQUEST_TIMEOUT_S).topics
    except KafkaException:
        return Diagnosis("Topics", "not checked, as no broker answers", "First mend Kafka.")
    missing = [name for name in TOPICS if name not in found]
    if missing:
        return Diagnosis("Topics", f"missing: {', '.join(missing)}", "Run `tapewatch setup`.")
    wrong = [name for name in TOPICS if len(found[name].partitions) != PARTITIONS]
    if wrong:
        return Diagnosis(
            "Topics",
            f"not {PARTITIONS} partitions: {', '.join(wrong)}",
            "Delete those topics, run `tapewatch setup`, and replay.",
        )
    return Diagnosis("Topics", f"all {len(TOPICS)} with {PARTITIONS} partitions")


def check_elasticsearch(url: str) -> Diagnosis:
    """Check that the cluster answers, is of the client's major version, and takes writes."""
    client = _patient_client(url)
    try:
        health = client.cluster.health()
        number = client.info()["version"]["number"]
    except (ApiError, TransportError) as error:
        return Diagnosis(
            "Elasticsearch",
            f"no answer from {url} ({str(error)[:120]})",
            "Start one (`tapewatch stack`), or name another with TAPEWATCH_ELASTICSEARCH.",
        )
    finding = f"{url}, version {number}, {health['status']}"
    client_major = version("elasticsearch").split(".")[0]
    if number.split(".")[0] != client_major:
        return Diagnosis(
            "Elasticsearch", finding, f"The client needs version {client_major}: use such a cluster."
        )
    if health["status"] == "red":
        return Diagnosis("Elasticsearch", finding, "Shards are missing: look at the cluster's log.")
    return Diagnosis("Elasticsearch", finding)


def check_templates(url: str) -> Diagnosis:
    """Check that the index templates are there."""
    client = _patient_client(url)
    try:
        missing = missing_templates(client, NEEDED_TEMPLATES)
    except (ApiError, TransportError):
        return Diagnosis(
            "Templates", "not checked, as Elasticsearch does not answer", "First mend Elasticsearch."
        )
    if missing:
        return Diagnosis("Templates", f"missing: {', '.join(missing)}", "Run `tapewatch setup`.")
    return Diagnosis("Templates", f"all {len(NEEDED_TEMPLATES)}")


def _patient_client(url: str) -> Elasticsearch:
    return new_client(url).options(request_timeout=REQUEST_TIMEOUT_S)
