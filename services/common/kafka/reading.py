"""Reads partitions once, from an offset to the end."""

import time
from collections.abc import Iterator

import structlog
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from services.common.kafka.clients import READS_ONLY, REQUEST_TIMEOUT_S, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets
from services.common.kafka.offsets import Positions
from services.common.kafka.records import Record
from services.common.process.shutdown import Stop

READ_AT_ONCE = 1_000

SILENT_S = 15.0
"""Without a message and short of the end, clients are replaced after that."""


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

    If nothing comes for `SILENT_S` although the end is not reached, new clients read the rest: one that met a
    broker in the middle of its start may wait for minutes.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    partitions
        Partitions with the offsets to start at; an unavailable broker is waited for.
    stop
        Ends the reading early.
    """
    positions = Positions()
    began_s = time.monotonic()
    is_over = False
    while not is_over and not stop.requested:
        ends = EndOffsets(kafka)
        # The broker tells that a partition has no more only after that time.
        consumer: Consumer = new_consumer(kafka, READS_ONLY, **{"fetch.wait.max.ms": 10})
        try:
            consumer.assign([positions.resumed(partition) for partition in partitions])
            moved_s = time.monotonic()
            while not stop.requested and time.monotonic() - moved_s < SILENT_S:
                messages = consumer.consume(READ_AT_ONCE, 0.1)
                yield from positions.split(messages)
                if messages:
                    moved_s = time.monotonic()
                if len(messages) < READ_AT_ONCE and positions.at_end(consumer, ends):
                    is_over = True
                    break
        finally:
            consumer.close()
            ends.close()
        if not is_over and not stop.requested:
            structlog.get_logger().warning(
                f"waiting for the end of {', '.join(sorted({p.topic for p in partitions}))}",
                waited_s=round(time.monotonic() - began_s),
                next_offsets={f"{place[0]}/{place[1]}": at for place, at in positions.next_offsets.items()},
            )


def newest_by_key(
    kafka: KafkaConnection, topic: str, numbers: list[int], stop: Stop
) -> dict[int, dict[bytes, bytes]]:
    """Read partitions of a compacted topic.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    topic
        The topic.
    numbers
        The partitions.
    stop
        Ends the reading early; the result must not be used then.

    Returns
    -------
    dict
        By partition, the newest value of each key.
    """
    newest: dict[int, dict[bytes, bytes]] = {number: {} for number in numbers}
    for message in read_to_end(kafka, [TopicPartition(topic, number, 0) for number in numbers], stop):
        key, value = message.key() or b"", message.value()
        if value is None:
            newest[message.partition()].pop(key, None)
        else:
            newest[message.partition()][key] = value
    return newest
