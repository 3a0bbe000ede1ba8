"""Who keeps how far the topics were read: Kafka, or the store itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from confluent_kafka import Consumer, TopicPartition

from services.common.kafka.offsets import Start
from services.common.kafka.records import Record
from services.indexer.batch import Batch, Offsets
from services.indexer.sinks.base import Rejected


class OffsetKeeper(ABC):
    """Where partitions resume, and how a batch and the offsets behind it are stored."""

    @abstractmethod
    def starts(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[Start]:
        """Find out where partitions resume that were just assigned.

        Raises
        ------
        KafkaException
            The broker does not answer.
        NotNowError
            The store does not answer.
        """

    @abstractmethod
    def write(self, batch: Batch, offsets: Offsets, is_wanted: Callable[[], bool]) -> list[Rejected]:
        """Have the sink write a batch; called in threads, see the kinds of `Sink`."""

    @abstractmethod
    def reject(self, batch: Batch, record: Record, reason: str) -> None:
        """Give a record up that has just been read; `batch` is what is being gathered."""

    @abstractmethod
    def settle(self, record: Record, reason: str) -> None:
        """Give a record up that the sink has rejected in a batch that was acknowledged."""
