"""Reads partitions once, from an offset to the end."""

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from services.common.kafka.clients import READS_ONLY, REQUEST_TIMEOUT_S, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets
from services.common.kafka.offsets import Positions
from services.common.kafka.records import Record
from services.common.process.shutdown import Stop

READ_AT_ONCE = 1_000


def partition_numbers(client: AdminClient | Consumer | Producer, topic: str) -> list[int]:
    """Return the numbers of a topic's partitions, from 0 up.

    Raises
    ------
    KafkaException
        The broker does not answer, or the topic does not exist.
    """
    found = client.list_topics(topic, timeout=REQUEST_TIMEOUT_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return sorted(found.partitions)


def read_to_end(kafka: KafkaConnection, partitions: list[TopicPartition], stop: Stop) -> Iterator[Record]:
    """Read committed records from the partitions' offsets to the ends that they have when reached.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    partitions
        Partitions with the offsets to start at; an unavailable broker is waited for.
    stop
        Ends the reading early.
    """
    ends = EndOffsets(kafka)
    # The broker tells that a partition has no more only after that time.
    consumer: Consumer = new_consumer(kafka, READS_ONLY, **{"fetch.wait.max.ms": 10})
    try:
        consumer.assign(partitions)
        positions = Positions()
        while not stop.requested:
            messages = consumer.consume(READ_AT_ONCE, 0.1)
            yield from positions.split(messages)
            if len(messages) < READ_AT_ONCE and positions.at_end(consumer, ends):
                return
    finally:
        consumer.close()
        ends.close()
