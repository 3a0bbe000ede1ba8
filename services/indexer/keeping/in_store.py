"""Offsets in the store, in the transaction of what is before them."""

import time
from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.offsets import Start, starts_at
from services.common.kafka.records import Record
from services.common.process.shutdown import Stop
from services.indexer.batch import Batch, Offsets
from services.indexer.keeping.base import OffsetKeeper
from services.indexer.letters import Letters
from services.indexer.sinks.base import NotNowError, Rejected, StoppedError, TransactionalSink

LETTERS_POLL_S = 0.5
BEYOND_THE_END_S = 15.0
"""A broker that is just starting may tell an end that is too low; one that insists for so long means it."""


class KeptInStore(OffsetKeeper):
    """For a sink that stores rows and offsets together.

    Parameters
    ----------
    sink
        Claims partitions and writes the batches.
    letters
        Gets what is rejected, before the offset behind it is stored.
    kafka
        Where the topics are.
    stop
        Ends the waiting.
    """

    def __init__(self, sink: TransactionalSink, letters: Letters, kafka: KafkaConnection, stop: Stop) -> None:
        self._sink = sink
        self._letters = letters
        self._kafka = kafka
        self._stop = stop
        self._beyond_since_s: float | None = None

    def starts(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[Start]:
        """Resume after what the store has, or at the topic's current beginning.

        Raises
        ------
        TapewatchError
            The store has more of a partition than the topic.
        """
        if not partitions:
            return []
        stored = self._sink.claim([(p.topic, p.partition) for p in partitions], self._kafka)
        committed = [
            TopicPartition(topic, number, -1 if offset is None else offset)
            for (topic, number), offset in stored.items()
        ]
        starts = starts_at(consumer, committed)
        beyond = next((start for start in starts if start.committed > start.end), None)
        if beyond is None:
            self._beyond_since_s = None
            return starts
        now_s = time.monotonic()
        self._beyond_since_s = self._beyond_since_s or now_s
        what = (
            f"{self._sink.title} has the partition {beyond.number} of {beyond.topic} up to offset"
            f" {beyond.committed}, but the topic ends at {beyond.end}"
        )
        if now_s - self._beyond_since_s < BEYOND_THE_END_S:
            raise NotNowError(what)
        raise TapewatchError(
            f"{what}: what comes next in the topic would be skipped without a word.",
            "If the broker has lost records, see docs/postgres.md for how to read the topic again.",
        )

    def write(self, batch: Batch, offsets: Offsets, is_wanted: Callable[[], bool]) -> list[Rejected]:
        """Write the entries and the offsets, and before their commit the letters."""
        published: set[int] = set()

        def publish(rejected: list[Rejected]) -> bool:
            for one in rejected:
                if one.at not in published:  # a transaction that is tried again rejects the same ones
                    published.add(one.at)
                    self._letters.publish(batch.records[one.at], one.reason)
            while not self._letters.are_safe(LETTERS_POLL_S):
                if self._stop.grace_expired:
                    raise StoppedError
                if not is_wanted():
                    return False
            return True

        return self._sink.write(batch.records, batch.entries, offsets, is_wanted, publish)

    def reject(self, batch: Batch, record: Record, reason: str) -> None:
        """Publish a letter at once; the batch stores the offset behind it, even if it has no entry."""
        self._letters.publish(record, reason)
        self._letters.count(record, reason)
        batch.skip()

    def settle(self, record: Record, reason: str) -> None:
        """Count a letter that was published before its batch was committed."""
        self._letters.count(record, reason)
