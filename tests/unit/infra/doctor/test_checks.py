import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import MagicMock

import pytest
from pydantic import SecretStr

from infra.doctor import checks, run
from infra.doctor.checks import (
    Diagnosis,
    check_broker,
    check_coordinators,
    check_disk,
    check_elasticsearch,
    check_python,
    check_sizes,
    check_templates,
    check_topics,
    judge_coordinators,
    judge_disk,
    judge_python,
)
from infra.doctor.postgres import judge_postgres
from infra.doctor.run import diagnoses_table, run_doctor
from services.common.config.settings import Settings
from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.coordinator import StuckCoordinator
from services.common.postgres.connection import PostgresConnection
from services.common.postgres.settings import PostgresSettings
from services.contracts.components import indexer
from services.contracts.indices import NEEDED_TEMPLATES
from services.contracts.sinks import COMPONENTS
from tests.unit.infra.full_cluster import ADMIN, Body, FullCluster

LIBRARIES = {"elasticsearch": "9.1.0", "polars": "1.30"}


@contextmanager
def nobody() -> Iterator[str]:
    """An address at which nothing answers until the end of the block: bound, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def diagnosis_of(cluster: FullCluster, login: tuple[str, str] = ("", "")) -> Diagnosis:
    user, password = login
    settings = Settings(
        elasticsearch_user=user or None, elasticsearch_password=SecretStr(password) if password else None
    )
    with cluster, new_client(cluster.url, settings=settings) as client:
        return check_elasticsearch(client, cluster.url)


def test_this_python_is_right() -> None:
    assert check_python().hint == ""


def test_an_old_python_is_reported() -> None:
    found = judge_python((3, 10, 9), LIBRARIES)
    assert found.finding.startswith("3.10.9, librdkafka ")
    assert found.hint == "Install Python 3.11 or newer."


def test_a_missing_library_is_reported() -> None:
    found = judge_python((3, 12, 1), LIBRARIES | {"streamlit": None})
    assert "streamlit not installed" in found.finding
    assert "make install" in found.hint


def test_this_disk_is_measured() -> None:
    assert check_disk().finding.endswith(" GB free here")


@pytest.mark.parametrize(("free_bytes", "is_enough"), [(2_000_000_000, True), (1_999_999_999, False)])
def test_a_full_disk_is_reported(free_bytes: int, is_enough: bool) -> None:
    found = judge_disk(free_bytes)
    assert found.finding == "2.0 GB free here"
    assert bool(found.hint) != is_enough


def test_an_unavailable_broker_is_reported_once_and_no_topic_as_missing() -> None:
    with nobody() as address:
        kafka, *dependents = check_broker(KafkaConnection(address))
    assert kafka.finding.startswith(f"no answer from {address}")
    assert "TAPEWATCH_KAFKA" in kafka.hint
    assert [(found.subject, found.finding, found.hint) for found in dependents] == [
        (subject, "not checked, as Kafka cannot be used", "Fix Kafka first.")
        for subject in ("Topics", "Groups")
    ]


@pytest.mark.parametrize("check", [check_topics, check_coordinators])
def test_a_broker_that_goes_away_during_the_checks_is_no_missing_topic(
    check: Callable[[KafkaConnection], Diagnosis], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "REQUEST_TIMEOUT_S", 0.2)
    with nobody() as address:
        found = check(KafkaConnection(address))
    assert (found.finding, found.hint) == ("not checked, as Kafka cannot be used", "Fix Kafka first.")


def test_the_coordinator_of_every_group_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = indexer("paper", 9104)
    asked: list[str] = []
    monkeypatch.setattr(checks, "COMPONENTS", COMPONENTS | {paper.service: paper})
    monkeypatch.setattr(checks, "new_admin", lambda _: MagicMock())
    monkeypatch.setattr(checks, "find_stuck_coordinator", lambda _, group, *__: asked.append(group))
    assert check_coordinators(KafkaConnection("kafka:9092")).finding == "all coordinators accept commits"
    assert asked == [
        "tapewatch-detector",
        "tapewatch-alerter",
        "tapewatch-indexer",
        "tapewatch-indexer-postgres",
        "tapewatch-indexer-paper",
        "tapewatch-alert-sender",
    ]


def test_a_stuck_coordinator_is_reported_with_the_broker_to_restart() -> None:
    stuck = StuckCoordinator("tapewatch-indexer", 7, "1 (kafka:9092)", "timed out")
    found = judge_coordinators([None, stuck])
    assert found.finding == stuck.finding
    assert found.hint == stuck.hint


def test_two_groups_of_one_stuck_coordinator_name_the_broker_once() -> None:
    stuck = [StuckCoordinator(name, 7, "1 (kafka:9092)", "timed out") for name in ("a", "b")]
    found = judge_coordinators(stuck)
    assert "group a" in found.finding
    assert "group b" in found.finding
    assert found.hint == stuck[0].hint


def test_coordinators_that_write_are_well() -> None:
    assert judge_coordinators([None, None]).hint == ""


def test_a_good_cluster_is_well() -> None:
    found = diagnosis_of(FullCluster(security=False))
    assert found.finding.endswith(", green")
    assert found.hint == ""


@pytest.mark.parametrize("number", ["8.19.2", "10.0.0"])
def test_another_major_version_is_reported(number: str) -> None:
    cluster = FullCluster(security=False, version=number, refuses={"/_cluster": 400})
    found = diagnosis_of(cluster)
    assert f"Elasticsearch, version {number}" in found.finding
    assert "The client needs version 9" in found.hint


def test_a_red_cluster_is_reported() -> None:
    found = diagnosis_of(FullCluster(security=False, health="red"))
    assert found.finding.endswith(", red")
    assert "Shards are missing" in found.hint


def test_a_yellow_cluster_is_well_as_one_node_never_is_green() -> None:
    assert diagnosis_of(FullCluster(security=False, health="yellow")).hint == ""


def test_a_rejected_login_is_reported_as_such() -> None:
    found = diagnosis_of(FullCluster(), ("elastic", "wrong"))
    assert "rejects this login (401)" in found.finding
    assert "TAPEWATCH_ELASTICSEARCH_USER" in found.hint


def test_a_login_that_is_taken_is_well() -> None:
    found = diagnosis_of(FullCluster(), ADMIN)
    assert found.hint == ""


def test_a_server_error_is_reported_with_its_status() -> None:
    found = diagnosis_of(FullCluster(security=False, refuses={"/_cluster": 503}))
    assert "answers with status 503" in found.finding
    assert "check its log" in found.hint


def test_an_unavailable_elasticsearch_is_reported_and_no_template_as_missing() -> None:
    with nobody() as address, new_client(f"http://{address}") as client:
        found, templates = check_elasticsearch(client, f"http://{address}"), check_templates(client)
    assert found.finding.startswith(f"no answer from http://{address}")
    assert "TAPEWATCH_ELASTICSEARCH" in found.hint
    assert templates.hint == "Fix Elasticsearch first."


def test_missing_templates_are_named() -> None:
    first, *others = NEEDED_TEMPLATES
    ours: Body = {"index_patterns": ["trades-*", "anomalies-*"], "priority": 500}
    kept: dict[str, Body] = {f"/_index_template/{name}": ours for name in others}
    with FullCluster(security=False, kept=kept) as cluster, new_client(cluster.url) as client:
        found = check_templates(client)
        assert found.finding == f"missing: {first}"
        assert found.hint == "Run `tapewatch setup`."
        cluster.kept[f"/_index_template/{first}"] = ours
        assert check_templates(client).hint == ""


def templates_of(cluster: FullCluster, **foreign: Body) -> Diagnosis:
    ours: Body = {"index_patterns": ["trades-*", "anomalies-*"], "priority": 500}
    cluster.kept = {f"/_index_template/{name}": ours for name in NEEDED_TEMPLATES}
    cluster.kept |= {f"/_index_template/{name}": template for name, template in foreign.items()}
    with cluster, new_client(cluster.url) as client:
        return check_templates(client)


def test_a_foreign_template_that_changes_the_types_is_named() -> None:
    cluster = FullCluster(security=False)
    cluster.types |= {"price": "float", "symbol": "text"}
    found = templates_of(cluster, everything={"index_patterns": ["*"], "priority": 1000})
    assert "The index template everything (priority 1000)" in found.finding
    assert "symbol as text, not keyword; price as float, not double" in found.finding
    assert "Give everything a lower priority" in found.hint


def test_our_own_template_that_was_changed_is_set_up_again() -> None:
    cluster = FullCluster(security=False)
    cluster.types |= {"price": "float"}
    found = templates_of(cluster)
    assert "price as float, not double" in found.finding
    assert "tapewatch setup" in found.hint


@pytest.mark.parametrize("setting", ["false", "-trades-*,+*", "logs-*"])
def test_a_cluster_that_creates_no_index_by_itself_is_told(setting: str) -> None:
    found = templates_of(FullCluster(security=False, auto_create=setting))
    assert "action.auto_create_index keeps documents from creating the index trades-" in found.finding
    assert found.hint.startswith("Set action.auto_create_index to true")


def test_a_template_may_allow_what_the_cluster_does_not() -> None:
    cluster = FullCluster(security=False, auto_create="false")
    allowing: Body = {"index_patterns": ["*"], "priority": 600, "allow_auto_create": True}
    assert templates_of(cluster, allowing=allowing).hint == ""


def test_everything_away_ends_with_exit_code_1_and_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    with nobody() as address:
        assert run_doctor(Settings(kafka=address, elasticsearch=f"http://{address}")) == 1
    said = capsys.readouterr().out
    assert said.count("wrong") == 6
    assert said.count("tapewatch stack") == 2


def test_postgres_is_checked_where_something_is_set_about_it_and_only_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, count in (("TAPEWATCH_POSTGRES_ADMIN", 0), ("TAPEWATCH_POSTGRES", 1)):
        with nobody() as address:
            monkeypatch.setenv(variable, f"postgresql://somebody@{address}/tapewatch")
            run_doctor(Settings(kafka=address, elasticsearch=f"http://{address}"))
        assert capsys.readouterr().out.count("Postgres  ") == count


def test_the_check_of_postgres_names_the_package_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise TapewatchError("The check of Postgres needs the package psycopg.", "Install it.")

    monkeypatch.setattr(run, "load_with_extra", missing)
    assert run._postgres(PostgresSettings(postgres="postgresql://a@b/c")) == [
        Diagnosis("Postgres", "The check of Postgres needs the package psycopg.", "Install it.")
    ]


def test_an_old_postgres_is_reported() -> None:
    connection = PostgresConnection({"host": "db", "dbname": "tape"})
    old = judge_postgres(connection, 140_012, "me", is_encrypted=True)
    assert old.finding == "db:5432/tape, version 14.12, as me, TLS"
    assert old.hint == "Use Postgres 15 or newer."
    assert judge_postgres(connection, 150_001, "me", is_encrypted=True).hint == ""


def test_the_table_marks_what_is_wrong_and_puts_the_hint_below() -> None:
    rows = diagnoses_table([Diagnosis("A", "good"), Diagnosis("B", "bad", "do this")])
    marks, _, findings = (list(map(str, column.cells)) for column in rows.columns)
    assert marks == ["ok", "wrong"]
    assert findings == ["good", "bad\ndo this"]


@pytest.mark.parametrize(
    ("kinds", "finding"),
    [
        ({}, "with decimals in every index"),
        ({"trades-2026.01.02": "double"}, "with decimals in every index"),
        ({f"trades-2025.12.0{day}": "long" for day in range(1, 6)}, "03 and 2 more, created before"),
    ],
)
def test_indices_that_keep_whole_sizes_only_are_named(kinds: dict[str, str], finding: str) -> None:
    with FullCluster(security=False, size_types=kinds) as cluster, new_client(cluster.url) as client:
        found = check_sizes(client)
    assert found.hint == ""
    assert finding in found.finding
