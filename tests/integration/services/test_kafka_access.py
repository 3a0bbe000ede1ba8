"""Against the embedded Kafka with TLS and logins: who is let in, and what the others are told at once."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from infra.doctor.checks import check_kafka
from infra.embedded.download import cache_folder, fetch_jars
from infra.embedded.jars import KAFKA, locked_jars
from infra.embedded.kafka_server import KafkaServer
from infra.embedded.ports import free_port
from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_consumer, new_producer
from services.common.kafka.connection import KafkaConnection, kafka_connection
from services.common.kafka.preflight import wait_for_topics
from tests.certificates import needs_openssl
from tests.integration.services.secure_kafka import PASSWORD, SecurePorts, create_user
from tests.stops import AskedFor

pytestmark = [needs_openssl, pytest.mark.slow]

AT_ONCE_S = 15.0
"""Far below what a wait for a broker would take: two time limits of a request, on a busy machine."""


@dataclass
class Broker:
    ports: SecurePorts
    plain: str
    """Address of the port without TLS and login."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("kafka")
    ports = SecurePorts.make(folder / "secrets")
    jars = locked_jars()[KAFKA]
    server = KafkaServer(
        folder,
        free_port(),
        fetch_jars(jars, cache_folder() / "jars"),
        log_file=folder / "logs/kafka.log",
        start_timeout_s=800,
        heap_mb=256,
        listeners=ports.listeners,
    )
    try:
        server.start()
        create_user(KafkaConnection(server.bootstrap))
        yield Broker(ports, server.bootstrap)
    finally:
        server.kill()


def reach(given: dict[str, Any]) -> None:
    """Do what every service does first."""
    assert wait_for_topics(kafka_connection(Settings(**given)), [], AskedFor())


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("TLS", {}),
        ("MUTUAL", {}),
        ("SCRAM", {}),
        ("SCRAM", {"kafka_mechanism": "SCRAM-SHA-256"}),
        ("PLAIN", {}),
    ],
)
def test_the_right_settings_are_let_in(broker: Broker, kind: str, changed: dict[str, Any]) -> None:
    reach(broker.ports.settings(kind, **changed))


def test_an_encrypted_key_is_read_with_its_password(broker: Broker) -> None:
    folder = broker.ports.folder
    locked: dict[str, Any] = {
        "kafka_certificate": folder / "tls/locked.crt",
        "kafka_key": folder / "tls/locked.key",
    }
    reach(broker.ports.settings("MUTUAL", **locked, kafka_key_password_file=folder / "password"))


@pytest.mark.parametrize(
    ("kind", "changed", "cause", "fix"),
    [
        ("TLS", {"kafka_tls": None, "kafka_ca": None}, "speaks TLS on this port", "TAPEWATCH_KAFKA_TLS=true"),
        (
            "SCRAM",
            {"kafka_tls": None, "kafka_ca": None},
            "speaks TLS on this port",
            "TAPEWATCH_KAFKA_TLS=true",
        ),
        (
            "MUTUAL",
            {"kafka_tls": None, "kafka_ca": None, "kafka_certificate": None, "kafka_key": None},
            "speaks TLS on this port",
            "TAPEWATCH_KAFKA_TLS=true",
        ),
        ("PLAIN", {"kafka_tls": True}, "does not speak TLS on this port", "unset TAPEWATCH_KAFKA_TLS"),
        ("TLS", {"kafka_ca": None}, "is not trusted", "Set TAPEWATCH_KAFKA_CA"),
        ("TLS", {"kafka_ca": "other/ca.pem"}, "is not trusted", "other/ca.pem did not"),
        ("TLS", {"host": "localhost"}, "localhost", "a name that the certificate has"),
        (
            "MUTUAL",
            {"kafka_certificate": None, "kafka_key": None},
            "asks for a client certificate",
            "TAPEWATCH_KAFKA_CERTIFICATE",
        ),
        (
            "MUTUAL",
            {"kafka_certificate": "other/client.crt", "kafka_key": "other/client.key"},
            "does not accept the client certificate",
            "signed by a CA that the broker trusts",
        ),
        (
            "SCRAM",
            {"kafka_user": None, "kafka_password_file": None},
            "asks for a login (SCRAM-SHA-",
            "TAPEWATCH_KAFKA_USER",
        ),
        (
            "PLAIN",
            {"kafka_user": None, "kafka_password_file": None, "kafka_mechanism": None},
            "asks for a login (PLAIN)",
            "TAPEWATCH_KAFKA_MECHANISM",
        ),
        ("PLAIN", {"kafka_mechanism": None}, "does not offer SCRAM-SHA-512, only PLAIN", "one of those"),
        ("SCRAM", {"kafka_mechanism": "PLAIN"}, "does not offer PLAIN", "one of those"),
        (
            "SCRAM",
            {"kafka_password_file": "wrong"},
            "rejects the login of the user tapewatch",
            "PASSWORD_FILE",
        ),
        ("SCRAM", {"kafka_user": "nobody"}, "rejects the login of the user nobody", "create the user"),
        (
            "PLAIN",
            {"kafka_password_file": "wrong"},
            "rejects the login of the user tapewatch",
            "PASSWORD_FILE",
        ),
        (
            "TLS",
            {"kafka_user": "tapewatch", "kafka_password_file": "password"},
            "takes no login on this port",
            "Unset TAPEWATCH_KAFKA_USER",
        ),
    ],
)
def test_what_can_never_work_is_named_at_once_with_the_fix(
    broker: Broker, kind: str, changed: dict[str, Any], cause: str, fix: str
) -> None:
    files: dict[str, Any] = {
        name: broker.ports.folder / value
        for name, value in changed.items()
        if name not in ("kafka_user", "kafka_mechanism", "host") and isinstance(value, str)
    }
    given = broker.ports.settings(kind, **(changed | files))
    began_s = time.monotonic()
    with pytest.raises(TapewatchError) as caught:
        reach(given)
    assert time.monotonic() - began_s < AT_ONCE_S
    assert cause in caught.value.cause
    assert fix in caught.value.hint
    found = check_kafka(kafka_connection(Settings(**given)))
    assert (found.finding, found.hint) == (caught.value.cause, caught.value.hint)
    assert PASSWORD not in f"{caught.value} {found}"


def test_tls_to_the_port_without_it_is_named(broker: Broker) -> None:
    with pytest.raises(TapewatchError, match="does not speak TLS on this port"):
        reach({"kafka": broker.plain, "kafka_tls": True})


def test_the_doctor_says_how_a_connection_is_protected(broker: Broker) -> None:
    found = check_kafka(kafka_connection(Settings(**broker.ports.settings("SCRAM"))))
    assert found.finding.endswith("1 broker, TLS, login as tapewatch (SCRAM-SHA-512)")
    assert found.hint == ""


def test_every_kind_of_client_logs_in(broker: Broker) -> None:
    kafka = kafka_connection(Settings(**broker.ports.settings("SCRAM")))
    producer = new_producer(kafka)
    consumer = new_consumer(kafka, "reads-only")
    try:
        assert "__cluster_metadata" not in producer.list_topics(timeout=10).topics
        assert consumer.list_topics(timeout=10).brokers
    finally:
        consumer.close()
