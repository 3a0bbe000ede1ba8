"""The topic `silences`: read and followed; what silences held back is counted."""

import contextlib
from collections import Counter

import structlog
from confluent_kafka import Consumer, TopicPartition

from services.alerter.silencing.silences import Silences
from services.common.kafka.clients import READS_ONLY, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.offsets import Positions
from services.common.kafka.reading import read_to_end
from services.common.kafka.records import Record
from services.common.process.background import in_background
from services.common.process.shutdown import Stop
from services.contracts.alert import Outcome, decode_delivery, decode_silence
from services.contracts.topics import ALERT_DELIVERIES_TOPIC, SILENCES_TOPIC

READ_AT_ONCE = 100


class SilenceLog:
    """All silences, as long as it follows the topic.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    stop
        Ends the reading early.

    Attributes
    ----------
    silences
        What was read so far.
    """

    def __init__(self, kafka: KafkaConnection, stop: Stop) -> None:
        self._kafka = kafka
        self.silences = Silences()
        next_offset = 0
        for record in read_to_end(kafka, [TopicPartition(SILENCES_TOPIC, 0, 0)], stop):
            self._put(record)
            next_offset = record.offset() + 1
        self._positions = Positions()
        self._consumer: Consumer = new_consumer(kafka, READS_ONLY)
        self._consumer.assign([TopicPartition(SILENCES_TOPIC, 0, next_offset)])

    def follow(self) -> None:
        """Take what has come since; does not wait."""
        for record in self._positions.split(self._consumer.consume(READ_AT_ONCE, 0)):
            self._put(record)

    def close(self) -> None:
        """Close the connection, without waiting for that."""
        in_background(self._consumer.close)

    def _put(self, record: Record) -> None:
        try:
            self.silences.put(decode_silence(record.value() or b""))
        except ValueError as error:
            structlog.get_logger().error(
                "a silence cannot be read, and holds nothing back", offset=record.offset(), error=str(error)
            )


def count_silenced(kafka: KafkaConnection, stop: Stop) -> Counter[str]:
    """Return how many revisions each silence held back, by its id, as far as records are kept."""
    found: Counter[str] = Counter()
    for record in read_to_end(kafka, [TopicPartition(ALERT_DELIVERIES_TOPIC, 0, 0)], stop):
        with contextlib.suppress(ValueError):
            delivery = decode_delivery(record.value() or b"")
            if delivery.outcome is Outcome.SILENCED and delivery.silence_id is not None:
                found[delivery.silence_id] += 1
    return found
