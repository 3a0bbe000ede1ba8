"""The topic `alert-deliveries`: records are written with the offsets of `alerts`, and read after a restart.

A transaction holds records, dead letters and the offset at which a restart resumes, whose metadata is the
first record that matters from there on. The broker accepts it from the group's present member alone: a sender
that was replaced cannot record anything more, and so sends nothing more.
"""

import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from services.alerter.sending.past import Past
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.dead_letters import publish_rejected_message
from services.common.kafka.reading import read_to_end
from services.common.kafka.records import Record
from services.common.kafka.transactions import STUCK_S, GroupMetadata, Transactions
from services.common.process.shutdown import Stop
from services.contracts.alert import Delivery, decode_delivery, encode
from services.contracts.components import ALERTER
from services.contracts.topics import ALERT_DELIVERIES_TOPIC

PRODUCER_SETTINGS: dict[str, object] = {"linger.ms": 0, "delivery.report.only.error": False}
"""A record's place is known once it is delivered, and nothing is to be waited for."""

FLUSH_S = 0.5


class RecordLog:
    """Writes the records.

    Parameters
    ----------
    transactions
        With `PRODUCER_SETTINGS`.
    beat
        Called regularly during a wait, such as `Health.beat`.
    """

    def __init__(self, transactions: Transactions, beat: Callable[[], None]) -> None:
        self._transactions = transactions
        self._beat = beat

    def write(
        self,
        deliveries: list[Delivery],
        letters: list[tuple[Record, str]],
        written: Callable[[list[int]], list[TopicPartition]],
        group: GroupMetadata,
    ) -> None:
        """Write records, dead letters and offsets in one transaction.

        Parameters
        ----------
        deliveries
            The records.
        letters
            Messages that become dead letters, and why.
        written
            Gets the records' places in the topic, and returns the offsets to commit with them. These may be
            unchanged, but not none: only with them does the broker check the membership.
        group
            This sender's membership.

        Raises
        ------
        TransactionAbortedError
            Nothing was written.
        """
        self._transactions.begin()
        places: list[int] = []

        def note(error: KafkaError | None, message: Message) -> None:
            offset = message.offset()
            if error is None and offset is not None:
                places.append(offset)

        try:
            for delivery in deliveries:
                self._transactions.producer.produce(
                    ALERT_DELIVERIES_TOPIC,
                    key=delivery.alert_id,
                    value=encode(delivery),
                    partition=0,
                    on_delivery=note,
                )
            for record, reason in letters:
                publish_rejected_message(self._transactions.producer, ALERTER.service, reason, record)
            self._flush()
        except KafkaException as failure:
            self._transactions.fail(failure)
        if len(places) < len(deliveries):
            self._transactions.abort("records were not delivered")
        self._transactions.commit(written(places), group)

    def _flush(self) -> None:
        deadline_s = time.monotonic() + STUCK_S
        while self._transactions.producer.flush(FLUSH_S) and time.monotonic() < deadline_s:
            self._beat()


def read_past(kafka: KafkaConnection, first: int, stop: Stop, now_s: float) -> tuple[Past, int]:
    """Read the records from a place to the end; returns what they say, and where the next one will be.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    first
        The first record that matters.
    stop
        Ends the reading early.
    now_s
        Now, in seconds since 1970.
    """
    past = Past(now_s)
    next_record = first
    for record in read_to_end(kafka, [TopicPartition(ALERT_DELIVERIES_TOPIC, 0, first)], stop):
        next_record = record.offset() + 1
        try:
            past.add(decode_delivery(record.value() or b""), record.offset())
        except ValueError as error:
            structlog.get_logger().error(
                "a record of a delivery cannot be read", offset=record.offset(), error=str(error)
            )
    return past, next_record
