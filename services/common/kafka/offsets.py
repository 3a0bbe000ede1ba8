"""How far a consumer has read, and whether that is the end."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import structlog
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition

from services.common.kafka.authorization import denied
from services.common.kafka.clients import REQUEST_TIMEOUT_S
from services.common.kafka.end_offsets import EndOffsets, Partition, watermarks
from services.common.kafka.records import Record

ABANDONED_S = 30.0
"""By then a broker has aborted what a killed process left open: after 10 s, checked every 10 s."""


class Positions:
    """How far a consumer has read in each partition, markers of transactions at the end included.

    A transaction's end takes an offset of its own that is never delivered; only the event of having
    reached the partition's end tells that it has been passed.
    """

    def __init__(self) -> None:
        self.next_offsets: dict[Partition, int] = {}
        self.ends: dict[Partition, int] = {}
        """Where partitions were last read to their ends."""
        self._held_up: tuple[dict[Partition, int | None], float] | None = None
        """Offsets at which an open transaction blocks reading, and since when."""

    def resumed(self, partition: TopicPartition) -> TopicPartition:
        """Return a partition with the offset to read next, which is its own if nothing was read of it."""
        next_offset = self.next_offsets.get((partition.topic, partition.partition), partition.offset)
        return TopicPartition(partition.topic, partition.partition, next_offset)

    def split(self, messages: list[Message]) -> list[Record]:
        """Note the positions after `messages`; return those that are records.

        Raises
        ------
        TapewatchError
            Kafka denies the user what is read.
        KafkaException
            The consumer reported another error that it cannot fix by itself.
        """
        records = cast("list[Record]", [message for message in messages if message.error() is None])
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
                end = cast("Record", message)  # has a place too, if no value
                partition = (end.topic(), end.partition())
                self.next_offsets[partition] = max(end.offset(), self.next_offsets.get(partition, 0))
                self.ends[partition] = end.offset()
            elif refusal := denied(error):
                raise refusal
            elif error.fatal() or error.code() in _NEVER_RETRIED:
                raise KafkaException(error)

    def at_end(self, consumer: Consumer, ends: EndOffsets) -> bool:
        """Whether everything assigned was read, by the end offsets that the broker gives now.

        Records after a transaction that is still open count: others may have committed them, and they can
        be read once it has ended. One that has not ended by `ABANDONED_S` never may: a broker that is
        just starting can forget it (Kafka's KIP-664).
        """
        assigned = consumer.assignment()
        read = {(p.topic, p.partition): self.next_offsets.get((p.topic, p.partition)) for p in assigned}
        if not assigned or None in read.values():
            return False
        try:
            if self._is_read_to(ends.ask(assigned, IsolationLevel.READ_UNCOMMITTED)):
                self._held_up = None
                return True
            if not self._is_read_to(ends.ask(assigned, IsolationLevel.READ_COMMITTED)):
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
            "an open transaction that Kafka does not end hides any messages after it "
            "(kafka-transactions.sh find-hanging names it, abort ends it)",
            waited_s=ABANDONED_S,
        )
        return True

    def _is_read_to(self, ends: dict[Partition, int]) -> bool:
        return all(end <= self.next_offsets[partition] for partition, end in ends.items())


@dataclass(frozen=True)
class Start:
    """Where a group resumes in a partition."""

    topic: str
    number: int
    committed: int
    """The next offset to read; below 0 if nothing was ever committed."""
    beginning: int
    """The first offset that the topic still has."""
    end: int
    """Behind the last record that can be read now."""
    metadata: str = ""
    """What was committed with the offset."""

    @property
    def offset(self) -> int:
        """The first offset to read that still exists."""
        return max(self.committed, self.beginning)

    @property
    def lost(self) -> int:
        """How many offsets the topic's retention has removed before they were read."""
        return self.beginning - self.committed if 0 <= self.committed < self.beginning else 0

    def at(self, offset: int, metadata: str = "") -> TopicPartition:
        """Return the partition with an offset, in the form in which it is assigned and committed."""
        return TopicPartition(self.topic, self.number, offset, metadata=metadata)


def find_starts(consumer: Consumer, partitions: Iterable[TopicPartition]) -> list[Start]:
    """Ask where the consumer's group resumes, and log what has been lost.

    This waits for a transaction that is just ending.

    Raises
    ------
    KafkaException
        The broker does not answer the question.
    """
    wanted = [TopicPartition(p.topic, p.partition) for p in partitions]
    if not wanted:
        return []
    committed = consumer.committed(wanted, timeout=REQUEST_TIMEOUT_S)
    for place in committed:
        if place.error is not None:
            raise KafkaException(place.error)
    return starts_at(consumer, committed)


def starts_at(consumer: Consumer, committed: Iterable[TopicPartition]) -> list[Start]:
    """Ask for the beginnings and ends of partitions, and log what has been lost.

    Parameters
    ----------
    consumer
        A client.
    committed
        The partitions, each with the next offset to read; below 0 if nothing was ever read.

    Raises
    ------
    KafkaException
        The broker does not answer the question.
    """
    starts = []
    for place in committed:
        beginning, end = watermarks(consumer, TopicPartition(place.topic, place.partition))
        metadata = place.metadata or ""
        starts.append(Start(place.topic, place.partition, place.offset, beginning, end, metadata))
    for start in starts:
        if start.lost:
            structlog.get_logger().error(
                f"{start.topic} were removed by the topic's retention before they were read",
                partition=start.number,
                messages=start.lost,
                first_offset=start.beginning,
            )
    return starts


_NEVER_RETRIED = {KafkaError._FATAL, KafkaError._AUTHENTICATION}
"""librdkafka retries everything else: an unavailable broker, a new coordinator, a rebalance."""
