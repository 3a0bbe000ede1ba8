"""The whole pipeline over TLS and logins, each service with the user and rights that compose gives it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from infra.docker import make_kafka_secrets
from infra.docker.make_kafka_secrets import ADMIN, ALL, BROKER, CA
from infra.embedded.kafka_server import Listener
from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.setup.kafka_access import USERS, rights, set_up_kafka_access
from services.common.config.settings import Settings
from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin, new_consumer, new_producer
from services.common.kafka.connection import KafkaConnection, kafka_connection
from services.common.kafka.reading import read_to_end
from services.common.process.shutdown import Stop
from services.contracts.alert import Outcome, decode_delivery
from services.contracts.components import DETECTOR, INDEXER
from services.contracts.topics import (
    ALERT_DELIVERIES_TOPIC,
    ALERTS_TOPIC,
    ANOMALIES_TOPIC,
    CORRECTIONS_TOPIC,
    DEAD_LETTERS_TOPIC,
    FEED_EVENTS_TOPIC,
    PROFILES_TOPIC,
    SILENCES_TOPIC,
    TRADES_TOPIC,
)
from services.producer.progress import published_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.certificates import needs_openssl
from tests.compose.secure_file import MOUNT, kafka_volume, services
from tests.integration.pipeline import TIMEOUT_S
from tests.integration.services.secure_kafka import SCRAM, create_user
from tests.standins.faults import Fault
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig

pytestmark = [needs_openssl, pytest.mark.slow]

READER = "tapewatch-reader"
ALERTER_USER, OPERATOR = "tapewatch-alerter", "tapewatch-operator"


@dataclass(frozen=True)
class SecureStack:
    """A broker with the made certificate, and rights that it checks."""

    stack: EmbeddedStack
    root: Path
    """Has a folder for each volume."""
    port: int

    def environment(self, service: str) -> dict[str, str]:
        """Return what the compose files set of Kafka for a service, as it is outside a container."""
        found = services()[service]
        folder = self.root / str(kafka_volume(found))
        return {
            name: str(value).replace(MOUNT, str(folder))
            for name, value in found["environment"].items()
            if name.startswith("TAPEWATCH_KAFKA")
        } | {"TAPEWATCH_KAFKA": f"{LOOPBACK}:{self.port}"}

    def login(self, user: str) -> KafkaConnection:
        given: dict[str, Any] = {
            "kafka": f"{LOOPBACK}:{self.port}",
            "kafka_tls": True,
            "kafka_ca": self.root / ALL / CA,
            "kafka_user": user,
            "kafka_password_file": self.root / ALL / f"{user}.password",
        }
        return kafka_connection(Settings(**given))

    def tapewatch(self, service: str, *arguments: str, user: str | None = None) -> str:
        """Run a command as this service, or as another user."""
        environment = self.environment(service)
        if user is not None:
            password = self.root / ALL / f"{user}.password"
            environment |= {"TAPEWATCH_KAFKA_USER": user, "TAPEWATCH_KAFKA_PASSWORD_FILE": str(password)}
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            env=os.environ
            | environment
            | {
                "TAPEWATCH_ELASTICSEARCH": self.stack.elasticsearch_url,
                "TAPEWATCH_METRICS_PORT": "0",
                "POLARS_MAX_THREADS": "1",
            },
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        for path in (self.root / ALL).glob("*.password"):
            assert path.read_text() not in said
        return said


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureStack]:
    root = tmp_path_factory.mktemp("secrets")
    for volume in make_kafka_secrets.HANDED_OUT:
        (root / volume).mkdir()
    make_kafka_secrets.main(root)
    keystore = root / "broker.pem"  # Kafka wants both in one file
    keystore.write_text("".join((root / BROKER / name).read_text() for name in ("broker.key", "broker.crt")))
    tls = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(keystore)}
    listener = Listener("SECURE", free_port(), "SASL_SSL", tls | SCRAM)
    config = StackConfig(
        kafka_port=free_port(),
        elasticsearch_port=free_port(),
        kafka_listeners=(listener,),
        kafka_settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The broker itself, whose port has no login, and the user that Redpanda is started with.
            "super.users": f"User:ANONYMOUS;User:{ADMIN}",
        },
    )
    with EmbeddedStack(config) as running:
        create_user(running.kafka_connection, ADMIN, (root / ALL / f"{ADMIN}.password").read_text())
        made = SecureStack(running, root, listener.port)
        changes = made.tapewatch("setup", "setup")
        for user in USERS:
            assert f"created Kafka's user {user}" in changes
        yield made


def test_trades_go_from_a_file_to_documents(secure: SecureStack, tmp_path: Path) -> None:
    day = tmp_path / "day.csv"
    write_day(DayConfig(trades=20_000, symbols=4), day, tmp_path / "labels.csv")
    with day.open("a") as file:
        file.write("no,trade\n")
    secure.tapewatch("alerter", "alert", "--until-idle", "0.5")  # the first start begins at the end
    said = secure.tapewatch("producer", "produce", str(day)).strip().splitlines()
    published = json.loads(next(line for line in reversed(said) if line.startswith("{")))
    secure.tapewatch("detector", "detect", "--until-idle", "0.5")
    alerted = secure.tapewatch("alerter", "alert", "--send-old", "--until-idle", "0.5")
    secure.tapewatch("indexer", "index", "--until-idle", "0.5")
    with new_client(secure.stack.elasticsearch_url) as client:
        client.indices.refresh()
        assert client.count(index="trades-*")["count"] == published["trades"] > 0
        assert client.count(index="anomalies-*")["count"] > 0
    every_record = [TopicPartition(ALERT_DELIVERIES_TOPIC, 0, 0)]
    records = read_to_end(secure.login(READER), every_record, Stop(on_signals=False))
    tries = [decode_delivery(record.value() or b"") for record in records]
    assert tries
    assert {one.outcome for one in tries} <= {Outcome.SENT, Outcome.SILENCED}  # one inhibits another
    assert any(one.outcome is Outcome.SENT and f"{one.symbol}" in alerted for one in tries)
    assert "1 dead letter: producer 1" in secure.tapewatch("setup", "dead-letters", "list", user=READER)
    assert f"TLS, login as {READER} (SCRAM-SHA-512)" in " ".join(
        secure.tapewatch("setup", "doctor", user=READER).split()
    )


def test_a_feed_has_the_rights_it_needs(secure: SecureStack) -> None:
    tape = TapeConfig(("SAFE-USD",), per_second=60.0, seed=3)
    with StandInProcess("coinbase", tape, [Fault("drop", 60, 20)]) as venue:
        command = ("feed", "coinbase", "--symbols", *tape.symbols, *venue.urls, "--duration", "6")
        said = secure.tapewatch("feed", *command)
    logged = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert sum(one["count"] for one in logged if one["event"] == "gap_filled") == 20
    assert next(one for one in logged if one["event"] == "published")["trades"] > 80
    # What it asks before it begins, in a container.
    assert published_sources(secure.login("tapewatch-feed"), Stop(on_signals=False)) != []


def test_a_second_setup_changes_nothing(secure: SecureStack) -> None:
    assert "everything is set up already" in secure.tapewatch("setup", "setup")


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("tapewatch-producer", ANOMALIES_TOPIC),
        ("tapewatch-feed", ANOMALIES_TOPIC),
        ("tapewatch-detector", TRADES_TOPIC),
        ("tapewatch-indexer", ANOMALIES_TOPIC),
        ("tapewatch-indexer", PROFILES_TOPIC),
        (ALERTER_USER, ANOMALIES_TOPIC),
        (ALERTER_USER, SILENCES_TOPIC),
        (OPERATOR, ALERTS_TOPIC),
        (READER, DEAD_LETTERS_TOPIC),
    ],
)
def test_a_service_cannot_write_what_is_not_its_own(secure: SecureStack, user: str, topic: str) -> None:
    errors: list[KafkaError | None] = []
    producer = Producer(secure.login(user).client_settings())
    producer.produce(topic, b"{}", on_delivery=lambda error, _: errors.append(error))
    producer.flush(15)
    assert [error and error.code() for error in errors] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def test_an_operator_silences_with_the_rights_it_has(secure: SecureStack) -> None:
    command = ("silence", "add", "--for", "1h", "--reason", "a test", "--author", "jo", "--symbols", "NVDA")
    silence_id = secure.tapewatch("setup", *command, user=OPERATOR).split()[0]
    for user in (OPERATOR, READER):
        assert silence_id in secure.tapewatch("setup", "silence", "list", user=user)
    secure.tapewatch("setup", "silence", "expire", silence_id, "--author", "jo", user=OPERATOR)


def test_an_alerter_does_not_see_other_groups(secure: SecureStack) -> None:
    admin = new_admin(secure.login(ALERTER_USER))
    asked = ConsumerGroupTopicPartitions(INDEXER.group, [TopicPartition(TRADES_TOPIC, 0)])
    with pytest.raises(KafkaException) as caught:
        admin.list_consumer_group_offsets([asked])[INDEXER.group].result(15)
    assert caught.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_a_service_cannot_fence_another(secure: SecureStack) -> None:
    producer = new_producer(
        secure.login("tapewatch-producer"), **{"transactional.id": f"{DETECTOR.group}-detector-1"}
    )
    with pytest.raises(KafkaException) as caught:
        producer.init_transactions(15)
    assert caught.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def test_the_indexer_sees_only_the_topics_it_works_on(secure: SecureStack) -> None:
    consumer = new_consumer(secure.login("tapewatch-indexer"), "tapewatch-indexer")
    try:
        assert {*consumer.list_topics(timeout=10).topics} == {
            TRADES_TOPIC,
            ANOMALIES_TOPIC,
            CORRECTIONS_TOPIC,
            FEED_EVENTS_TOPIC,
            ALERTS_TOPIC,
            ALERT_DELIVERIES_TOPIC,
            SILENCES_TOPIC,
            PROFILES_TOPIC,
            DEAD_LETTERS_TOPIC,
        }
    finally:
        consumer.close()


def test_rights_that_somebody_added_are_taken_back(secure: SecureStack) -> None:
    admin = new_admin(secure.login(ADMIN))
    user = "tapewatch-indexer"
    added = AclBinding(
        ResourceType.TOPIC,
        TRADES_TOPIC,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation.DELETE,
        AclPermissionType.ALLOW,
    )
    assert added not in rights(user)
    for done in admin.create_acls([added]).values():
        done.result()
    assert f"changed the rights of Kafka's user {user}" in secure.tapewatch("setup", "setup")
    assert "everything is set up already" in secure.tapewatch("setup", "setup")


def test_a_user_that_is_none_of_the_superusers_cannot_set_up(secure: SecureStack) -> None:
    with pytest.raises(TapewatchError, match="rejected the setup of its users") as caught:
        set_up_kafka_access(new_admin(secure.login(READER)), secure.root / ALL)
    assert "one of the broker's superusers" in caught.value.hint
