"""Trades, anomalies, corrections and alerts as rows of Postgres, with the offsets beside them."""

import uuid
from collections.abc import Callable, Mapping, Sequence

import psycopg

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import Partition
from services.common.kafka.records import Record
from services.common.kafka.topic_ids import find_cluster_id, find_topic_ids
from services.common.observability.health import Health
from services.common.postgres.connection import postgres_connection
from services.common.postgres.errors import Meaning, brief, meaning_of
from services.common.postgres.preflight import check_schema, wait_for_postgres
from services.common.postgres.settings import PostgresSettings
from services.common.process.readiness import ThrottledWarning
from services.common.process.shutdown import Stop
from services.contracts.topics import ALERTS_TOPIC, ANOMALIES_TOPIC, CORRECTIONS_TOPIC, TRADES_TOPIC
from services.indexer.sinks.base import Entry, NotNowError, Rejected, TransactionalSink
from services.indexer.sinks.postgres.offsets import claim
from services.indexer.sinks.postgres.retention import keep_retention
from services.indexer.sinks.postgres.rows import to_retraction, to_row, trade_row
from services.indexer.sinks.postgres.steps import steps_of, target_of
from services.indexer.sinks.postgres.writer import Writer

_APPLICATION = "tapewatch-indexer"


class PostgresSink(TransactionalSink):
    """Copies rows over one connection; see `TransactionalSink`."""

    title = "Postgres"
    topics = (TRADES_TOPIC, ANOMALIES_TOPIC, CORRECTIONS_TOPIC, ALERTS_TOPIC)

    def __init__(self, settings: Settings, stop: Stop) -> None:  # noqa: ARG002 - Kafka is the runner's
        self._connection = postgres_connection(PostgresSettings())
        self._stop = stop
        self._health: Health | None = None
        self._process = uuid.uuid4().hex
        self._claims = 0
        self._cluster_id = ""
        self._writer = Writer(self._connection, _APPLICATION, stop)
        self._waiting: ThrottledWarning | None = None

    def wait_until_ready(self, health: Health) -> bool:
        """Wait for the server, then check the schema, and look for days whose time is over from now on."""
        self._health = health
        if not wait_for_postgres(self._connection, _APPLICATION, self._stop, health):
            return False
        try:
            with self._connection.connect(_APPLICATION) as session:
                check_schema(session, f"Postgres at {self._connection}")
        except psycopg.OperationalError:  # gone again a moment later: the first claim waits for it
            pass
        keep_retention(self._connection, _APPLICATION, self._stop)
        return True

    def prepare(self, record: Record, /) -> Entry:
        """Return a trade's id and its row; see `steps_of` for the targets of other messages."""
        topic = record.topic()
        value = record.value()
        if topic == TRADES_TOPIC:
            return trade_row(value or b"")
        if value is None and topic == ANOMALIES_TOPIC:
            return target_of(to_retraction(record.headers()).key, record), None
        key, line = to_row(record, self._writer.topic_ids[topic])
        return target_of(key, record), line

    def claim(
        self, partitions: Sequence[Partition], kafka: KafkaConnection
    ) -> Mapping[Partition, int | None]:
        """Become the owner of partitions in the table of offsets."""
        self._check_cluster(kafka)
        self._claims += 1
        owner = f"{self._process}/{self._claims}"
        try:
            with self._connection.connect(_APPLICATION) as session:
                claimed = claim(session, owner, self._process, partitions, self._writer.topic_ids)
        except psycopg.Error as error:
            if meaning_of(error) is Meaning.PERSON:
                raise TapewatchError(
                    f"Postgres at {self._connection} rejected the claim of partitions: {brief(error)}.",
                    "Check the user's rights; `tapewatch setup` creates the tables and grants them.",
                ) from error
            place = f"Postgres at {self._connection}"
            self._waiting = self._waiting or ThrottledWarning(place)
            self._waiting.note(error)
            if self._health is not None:
                self._health.detail = f"waiting for {place}"
            raise NotNowError(brief(error)) from error
        self._waiting = None
        self._writer.owner = owner
        return claimed

    def _check_cluster(self, kafka: KafkaConnection) -> None:
        """Learn the topics' ids with the first claim, and stop if the cluster is another one later.

        They are not asked for again: that is not safe while brokers come and go.
        """
        cluster_id = find_cluster_id(kafka)
        if not self._cluster_id:
            self._writer.topic_ids = find_topic_ids(kafka, list(self.topics))
            self._cluster_id = cluster_id
        elif cluster_id != self._cluster_id:
            raise TapewatchError(
                f"Kafka at {kafka} is another cluster than before.",
                "Start the indexer again: it asks for the new topics' ids, and begins at their beginning.",
            )

    def write(
        self,
        records: Sequence[Record],
        entries: Sequence[Entry],
        offsets: Mapping[Partition, int],
        is_wanted: Callable[[], bool],
        publish: Callable[[list[Rejected]], bool],
    ) -> list[Rejected]:
        """See `Writer.write`."""
        steps = steps_of(records, entries, self._writer.topic_ids)
        return self._writer.write(steps, offsets, is_wanted, publish)
