"""Reads the records of `producer-progress`, in which sources and feeds keep how far they were published."""

from collections.abc import Callable

from confluent_kafka import KafkaException, TopicPartition

from services.common.kafka.clients import new_admin
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers, read_to_end
from services.common.process.readiness import wait_for_server
from services.common.process.shutdown import Stop
from services.contracts.topics import PROGRESS_TOPIC

TAKEOVER_S = 2.0
"""A process that took over has recorded its name by then."""


def newest_records(
    kafka: KafkaConnection, wants: Callable[[bytes], bool], stop: Stop
) -> dict[bytes, bytes | None] | None:
    """Return the newest value under each wanted key; None if a stop came while the broker was away.

    Parameters
    ----------
    kafka
        Connection to Kafka; it is waited for.
    wants
        Tells for a key whether it is wanted.
    stop
        Ends the reading early.
    """
    admin = new_admin(kafka)
    starts: list[TopicPartition] = []

    def ask() -> None:
        numbers = partition_numbers(admin, PROGRESS_TOPIC)
        starts[:] = [TopicPartition(PROGRESS_TOPIC, number, 0) for number in numbers]

    if not wait_for_server(ask, KafkaException, f"Kafka at {kafka}", stop):
        return None
    newest: dict[bytes, bytes | None] = {}
    for message in read_to_end(kafka, starts, stop):
        key = message.key() or b""
        if wants(key):
            newest[key] = message.value()
    return newest
