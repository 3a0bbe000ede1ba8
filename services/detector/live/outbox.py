"""The detector's output: anomalies, dead letters, checkpoints and offsets become visible together."""

import datetime as dt

import structlog
from confluent_kafka import KafkaException

from services.common.kafka.dead_letters import publish_rejected_message
from services.common.kafka.outbox import Outbox
from services.common.kafka.transactions import Transactions
from services.contracts.anomaly import (
    BROUGHT_AT,
    JUDGED_AGAIN,
    TAPE_CLOCK,
    TRADE_OFFSET,
    TRADE_TIME,
    anomaly_json,
)
from services.contracts.components import DETECTOR
from services.contracts.feed_event import FeedEvent, encode_feed_event
from services.contracts.topics import ANOMALIES_TOPIC, FEED_EVENTS_TOPIC
from services.detector.live.partition import Detected, Judged
from services.detector.live.retraction import StandingAnomaly, publish_retraction


class DetectorOutbox(Outbox):
    """Publishes in one transaction after another; each method may raise `TransactionAbortedError`.

    Parameters
    ----------
    transactions
        Opened under the detector's name.
    """

    def __init__(self, transactions: Transactions) -> None:
        super().__init__(transactions, DETECTOR.service)
        self._log = structlog.get_logger()

    def publish(self, number: int, found: Detected) -> None:
        """Publish the results of a partition's batch to the partition of the same number."""
        producer = self._transactions.producer
        now = dt.datetime.now(dt.UTC)
        try:
            for one in found.anomalies:
                try:
                    value = anomaly_json(one.origin.value, one.anomaly, now)
                # JSON only to the decoder, or nested too deeply; the indexer rejects it with a dead letter.
                except (ValueError, TypeError) as error:
                    self._log.warning(
                        "anomaly skipped: its trade cannot be written as JSON", error=str(error)
                    )
                    continue
                producer.produce(
                    ANOMALIES_TOPIC,
                    key=one.origin.key,
                    value=value,
                    headers=_headers(one),
                    partition=number,
                )
            for message, reason in found.rejected:
                publish_rejected_message(producer, DETECTOR.service, reason, message)
        except KafkaException as failure:
            self._transactions.fail(failure)

    def tell(self, events: list[FeedEvent]) -> None:
        """Publish what was noticed of feeds."""
        try:
            for event in events:
                self._transactions.producer.produce(
                    FEED_EVENTS_TOPIC, key=event.venue.encode(), value=encode_feed_event(event)
                )
        except KafkaException as failure:
            self._transactions.fail(failure)

    def withdraw(self, number: int, anomalies: list[StandingAnomaly], clock_ns: int) -> None:
        """Withdraw anomalies of a partition, whose tape's clock was `clock_ns` at the reset."""
        try:
            for anomaly in anomalies:
                publish_retraction(self._transactions.producer, number, *anomaly, clock_ns)
        except KafkaException as failure:
            self._transactions.fail(failure)


def _headers(one: Judged) -> dict[str, str | bytes | None]:
    headers: dict[str, str | bytes | None] = {
        TRADE_OFFSET: str(one.origin.offset),
        TAPE_CLOCK: str(one.clock_ns),
        BROUGHT_AT: str(one.brought_ns),
    }
    if one.origin.time_ms > 0:
        headers[TRADE_TIME] = str(one.origin.time_ms)
    if one.is_again:
        headers[JUDGED_AGAIN] = "1"
    return headers
