"""The compose file's services under a separate project name, so that they do not disturb others."""

import os
import signal
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition

from infra.docker.make_storage_passwords import SUPERUSER
from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.postgres_server import DATABASE
from services.common.elastic.client import Elasticsearch
from services.common.kafka.clients import new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers
from services.common.postgres.connection import PostgresConnection, connection_from
from services.contracts.components import DETECTOR
from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX
from services.contracts.topics import TRADES_TOPIC
from tests.compose.engine import Container, Done, containers, run, succeeded

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yml"
PROJECT = "tapewatch-test"
STORAGE_PASSWORDS = "storage-passwords"
"""The job that makes the passwords of the profile storage, and shows them."""


_NOT_YET = -1


class ComposeStack:
    """The services and queries about them; a context manager that removes everything at its end.

    Parameters
    ----------
    checkout
        The folder with the compose file.

    Attributes
    ----------
    kafka_connection
        Connection for clients on this machine.
    dashboard_port
        Where the dashboard is.
    """

    def __init__(self, checkout: Path) -> None:
        ports = {
            name: str(free_port())
            for name in (
                *("KAFKA_PORT", "ELASTICSEARCH_PORT", "KIBANA_PORT", "DASHBOARD_PORT"),
                *("POSTGRES_PORT", "GRAFANA_PORT"),
            )
        }
        self._checkout = checkout
        self._env = os.environ | ports | {"SPEED": "", "DATA_DIR": ""}
        self.kafka_connection = KafkaConnection(f"{LOOPBACK}:{ports['KAFKA_PORT']}")
        self.dashboard_port = int(ports["DASHBOARD_PORT"])
        self._postgres = f"postgresql://{SUPERUSER}@{LOOPBACK}:{ports['POSTGRES_PORT']}/{DATABASE}"
        self._elasticsearch = f"http://{LOOPBACK}:{ports['ELASTICSEARCH_PORT']}"

    def __enter__(self) -> "ComposeStack":
        self.remove()
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave containers behind
        self.remove()

    def remove(self) -> None:
        """Start from scratch: remove the containers and what they keep."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "10")

    def compose(self, *arguments: str, **settings: str) -> str:
        """Run `docker compose` and return what it prints.

        Parameters
        ----------
        arguments
            Of `docker compose`.
        settings
            Variables of the compose file, such as `SPEED`.

        Raises
        ------
        TapewatchError
            It failed.
        """
        return succeeded(self.attempt(*arguments, **settings), f"docker compose {' '.join(arguments)}")

    def attempt(self, *arguments: str, **settings: str) -> Done:
        """Run `docker compose`, which may fail."""
        file = str(self._checkout / FILE.name)
        return run(
            ["docker", "compose", "--file", file, "--project-name", PROJECT, *arguments],
            self._env | settings,
        )

    def containers(self) -> dict[str, Container]:
        """Return the containers by name, such as `tapewatch-test-detector-2`."""
        return containers(PROJECT)

    def container(self, service: str) -> Container:
        """Return a service's first container."""
        return self.containers()[f"{PROJECT}-{service}-1"]

    def is_running(self, service: str) -> bool:
        """Tell whether a service's first container runs."""
        return self.container(service).state == "running"

    def published(self) -> int:
        """Return about how many trades the topic has (transaction markers count); -1 without an answer."""
        consumer = new_consumer(self.kafka_connection, "reads-only")
        try:
            ends = [
                consumer.get_watermark_offsets(TopicPartition(TRADES_TOPIC, number), timeout=5)[1]
                for number in partition_numbers(consumer, TRADES_TOPIC)
            ]
        except KafkaException:
            return _NOT_YET
        finally:
            consumer.close()
        return sum(ends)

    def detectors_at_work(self) -> int:
        """Return how many detectors have partitions."""
        admin = new_admin(self.kafka_connection)
        try:
            group = admin.describe_consumer_groups([DETECTOR.group], request_timeout=5)[DETECTOR.group]
            return sum(bool(member.assignment.topic_partitions) for member in group.result().members)
        except KafkaException:
            return _NOT_YET

    def open_elasticsearch(self) -> Elasticsearch:
        """Return a client with the password that the stack made for itself."""
        password = self.compose("run", "--rm", "--no-deps", "-T", "passwords", "elastic").strip()
        return Elasticsearch(self._elasticsearch, basic_auth=("elastic", password), request_timeout=60)

    def postgres_connection(self) -> PostgresConnection:
        """Return how the superuser reaches the tables, which are there with the profile storage."""
        password = self.compose("run", "--rm", "--no-deps", "-T", STORAGE_PASSWORDS, SUPERUSER).strip()
        return connection_from(self._postgres, "TAPEWATCH_POSTGRES_ADMIN", password, None)

    def indexed(self, client: Elasticsearch) -> tuple[int, int]:
        """Return how many trades and how many anomalies can be found."""
        return (
            client.count(index=f"{TRADES_INDEX_PREFIX}*")["count"],
            client.count(index=f"{ANOMALIES_INDEX_PREFIX}*")["count"],
        )
