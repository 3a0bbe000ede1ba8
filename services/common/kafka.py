"""Kafka clients as every service wants them, and the few questions that several ask a broker."""

import logging
import time
from collections.abc import Callable, Iterator

import structlog
from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from services.common.errors import TapewatchError
from services.common.stops import Stop
from services.common.waiting import LOG_EVERY_S, wait_until

REQUEST_TIMEOUT_S = 5.0
READ_AT_ONCE = 1_000
SESSION_TIMEOUT_MS = 6_000
ABANDONED_S = 30.0
"""By then a broker has ended what a killed process left open: after 10 s, looked for every 10 s."""

Partition = tuple[str, int]
"""Topic and number."""

# librdkafka reports each failed connection attempt; the services say once that they wait.
_quiet = logging.getLogger("tapewatch.librdkafka")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def client_config(bootstrap: str) -> dict[str, object]:
    """Return what every client of this cluster needs."""
    return {
        "bootstrap.servers": bootstrap,
        "logger": _quiet,
        "reconnect.backoff.max.ms": 1000,
        "broker.address.family": "v4",
        "error_cb": _Outages(bootstrap).note,
    }


class _Outages:
    """Logs now and then that no broker answers, for one client."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._next_s = 0.0

    def note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LOG_EVERY_S
            structlog.get_logger().warning(f"waiting for Kafka at {self._bootstrap}", error=error.str())


def new_admin(bootstrap: str) -> AdminClient:
    """Return a client for topics and offsets."""
    return AdminClient(client_config(bootstrap))


def new_producer(bootstrap: str, **config: object) -> Producer:
    """Return an idempotent producer; `config` adds librdkafka's own settings.

    Keys go to partitions as Java clients send them, so that others may publish to the same topics.
    """
    return Producer(
        client_config(bootstrap)
        | {
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "message.max.bytes": 2_200_000,
            "queue.buffering.max.messages": 500_000,
            # Only failures are reported: a callback for each of millions of successes costs too much.
            "delivery.report.only.error": True,
        }
        | config
    )


def new_consumer(bootstrap: str, group: str, **config: object) -> Consumer:
    """Return a consumer of committed records that commits only when told to."""
    return Consumer(
        client_config(bootstrap)
        | {
            "group.id": group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            # The partitions of a process that was killed go to others after that.
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "fetch.message.max.bytes": 4_000_000,
            "queued.max.messages.kbytes": 65_536,
            # Until a full queue fetches again; with the default of 1 s a fast reader starves.
            "fetch.queue.backoff.ms": 10,
        }
        | config
    )


def wait_for_topics(
    bootstrap: str, topics: list[str], stop: Stop, beat: Callable[[], None] = lambda: None
) -> bool:
    """Wait for the broker, calling `beat` now and then, and check that the topics are there.

    Returns
    -------
    bool
        False if a stop came before the broker.

    Raises
    ------
    TapewatchError
        A topic is missing.
    """
    admin = new_admin(bootstrap)
    found: set[str] = set()

    def ask() -> None:
        found.update(admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics)

    if not wait_until(ask, KafkaException, f"Kafka at {bootstrap}", stop, beat):
        return False
    if missing := [topic for topic in topics if topic not in found]:
        raise TapewatchError(
            f"Kafka at {bootstrap} has no topic {' and no topic '.join(missing)}.",
            "Run `tapewatch setup` to create the topics.",
        )
    return True


def read_to_end(bootstrap: str, partitions: list[TopicPartition], stop: Stop) -> Iterator[Message]:
    """Read committed records from the partitions' offsets to the ends that they have when reached.

    Parameters
    ----------
    bootstrap
        Where Kafka is.
    partitions
        With the offsets to begin at; a broker that is away is waited for.
    stop
        Ends the reading early.
    """
    admin = new_admin(bootstrap)
    # The broker tells that a partition has no more only after that time.
    consumer: Consumer = new_consumer(bootstrap, "tapewatch-reads-only", **{"fetch.wait.max.ms": 10})
    try:
        consumer.assign(partitions)
        positions = Positions()
        while not stop.requested:
            messages = consumer.consume(READ_AT_ONCE, 0.1)
            yield from positions.split(messages)
            if len(messages) < READ_AT_ONCE and positions.at_end(consumer, admin):
                return
    finally:
        consumer.close()


class Positions:
    """How far a consumer has come in each partition, counting the markers of transactions at its end.

    A transaction's end takes an offset of its own that is never delivered; only the event of having
    reached the partition's end tells that it has been passed.
    """

    def __init__(self) -> None:
        self.next_offsets: dict[Partition, int] = {}
        self._held_up: tuple[dict[Partition, int | None], float] | None = None
        """At which offsets an open transaction holds the reading up, and since when."""

    def split(self, messages: list[Message]) -> list[Message]:
        """Note the positions after `messages`; return those that are records.

        Raises
        ------
        KafkaException
            The consumer reported an error that it cannot mend by itself.
        """
        records = [message for message in messages if message.error() is None]
        # A partition's messages come in order, so its last one tells the position.
        for partition, last in {(record.topic(), record.partition()): record for record in records}.items():
            self.next_offsets[partition] = last.offset() + 1
        if len(records) < len(messages):
            self._note_events(messages)
        return records

    def _note_events(self, messages: list[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is None:
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                partition = (message.topic(), message.partition())
                self.next_offsets[partition] = max(message.offset(), self.next_offsets.get(partition, 0))
            elif error.fatal() or error.code() in _NEVER_MENDED:
                raise KafkaException(error)

    def forget(self, partitions: list[TopicPartition]) -> None:
        """Drop partitions that were handed away."""
        for partition in partitions:
            self.next_offsets.pop((partition.topic, partition.partition), None)

    def at_end(self, consumer: Consumer, admin: AdminClient) -> bool:
        """Whether everything assigned was read, by the end offsets that the broker gives now.

        What stands behind a transaction that is still open counts: others may have committed it, and it can
        be read once that one has ended. One that has not ended by `ABANDONED_S` never may: a broker that is
        just starting can forget it (Kafka's KIP-664).
        """
        assigned = consumer.assignment()
        read = {(p.topic, p.partition): self.next_offsets.get((p.topic, p.partition)) for p in assigned}
        if not assigned or None in read.values():
            return False
        try:
            if self._is_read_to(_end_offsets(admin, assigned, IsolationLevel.READ_UNCOMMITTED)):
                self._held_up = None
                return True
            if not self._is_read_to(_end_offsets(admin, assigned, IsolationLevel.READ_COMMITTED)):
                self._held_up = None
                return False
        except KafkaException:
            return False  # a broker that does not answer is not idle
        now_s = time.monotonic()
        if self._held_up is None or self._held_up[0] != read:
            self._held_up = (read, now_s)
        if now_s - self._held_up[1] < ABANDONED_S:
            return False
        structlog.get_logger().warning(
            "a transaction that Kafka does not end hides what may stand behind it "
            "(kafka-transactions.sh find-hanging names it, abort ends it)",
            waited_s=ABANDONED_S,
        )
        return True

    def _is_read_to(self, ends: dict[Partition, int]) -> bool:
        return all(end <= self.next_offsets[partition] for partition, end in ends.items())

    def as_offsets(self) -> list[TopicPartition]:
        """Return the positions in the form in which they are committed."""
        return [
            TopicPartition(topic, number, offset) for (topic, number), offset in self.next_offsets.items()
        ]


def _end_offsets(
    admin: AdminClient, partitions: list[TopicPartition], level: IsolationLevel
) -> dict[Partition, int]:
    """Ask for the ends of partitions; raises KafkaException if the broker does not tell."""
    asked = {TopicPartition(p.topic, p.partition): OffsetSpec.latest() for p in partitions}
    answers = admin.list_offsets(asked, isolation_level=level, request_timeout=REQUEST_TIMEOUT_S)
    return {(p.topic, p.partition): answer.result().offset for p, answer in answers.items()}


_NEVER_MENDED = {
    KafkaError._FATAL,
    KafkaError._AUTHENTICATION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}
"""All else (a broker that is away, a new coordinator, a rebalance) librdkafka tries again."""
