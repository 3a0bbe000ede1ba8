"""Offsets in Kafka, committed once the sink has acknowledged what is before them."""

from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition

from services.common.kafka.offsets import Start, find_starts
from services.common.kafka.records import Record
from services.indexer.batch import Batch, Offsets
from services.indexer.keeping.base import OffsetKeeper
from services.indexer.letters import Letters
from services.indexer.sinks.base import IdempotentSink, Rejected


class KeptInKafka(OffsetKeeper):
    """For a sink in which writing a batch twice changes nothing.

    Parameters
    ----------
    sink
        Writes the batches.
    letters
        Gets what is rejected; the runner commits no offset before they are safe.
    """

    def __init__(self, sink: IdempotentSink, letters: Letters) -> None:
        self._sink = sink
        self._letters = letters

    def starts(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[Start]:
        """Resume after the committed offsets, or at the topic's current beginning."""
        return find_starts(consumer, partitions)

    def write(self, batch: Batch, offsets: Offsets, is_wanted: Callable[[], bool]) -> list[Rejected]:  # noqa: ARG002
        """Write the entries; the runner commits the offsets."""
        return self._sink.write(batch.entries, is_wanted)

    def reject(self, batch: Batch, record: Record, reason: str) -> None:  # noqa: ARG002
        """Publish a letter at once."""
        self.settle(record, reason)

    def settle(self, record: Record, reason: str) -> None:
        """Publish a letter now that the rest of its batch is stored."""
        self._letters.publish(record, reason)
        self._letters.count(record, reason)
