"""Dead letters of what a sink cannot store: published, counted, and known to be safe."""

import math
import time

import structlog
from confluent_kafka import KafkaError, Message, Producer

from services.common.errors import TapewatchError
from services.common.kafka.dead_letters import publish_rejected_message
from services.common.kafka.records import Record
from services.common.observability.health import Health
from services.common.process.shutdown import Stop
from services.indexer.metrics import Tally
from services.indexer.sinks.base import StoppedError

POLL_S = 0.05
SAY_EVERY_S = 1.0
"""Minimum time between log lines about rejections; they give a count and an example."""


class Letters:
    """Writes dead letters, even if another service may write one too: it may not be running.

    Parameters
    ----------
    producer
        Publishes them.
    service
        Name of this process, which stands in each.
    tally
        Counts them.
    stop
        Ends the waiting for a broker that takes none.
    health
        Gets signs of life meanwhile.
    """

    def __init__(self, producer: Producer, service: str, tally: Tally, stop: Stop, health: Health) -> None:
        self._log = structlog.get_logger()
        self._producer = producer
        self._service = service
        self._tally = tally
        self._stop = stop
        self._health = health
        self._say_s = -math.inf
        self._unsaid = 0
        self._refusal: str | None = None

    def publish(self, record: Record, reason: str) -> None:
        """Hand a letter to the client; may be called by any thread.

        Raises
        ------
        StoppedError
            The client's queue stayed full until the grace period of a stop had expired.
        """
        while True:
            try:
                publish_rejected_message(self._producer, self._service, reason, record, self._delivered)
                break
            except BufferError:  # the client's queue is full: Kafka takes letters more slowly than they come
                if self._stop.grace_expired:
                    raise StoppedError from None
                self._health.beat()
                self._producer.poll(POLL_S)

    def count(self, record: Record, reason: str) -> None:
        """Count a letter, and say so now and then; called by the main loop alone."""
        self._tally.add_dead_letter()
        self._unsaid += 1
        if time.monotonic() >= self._say_s:
            self._log.warning(
                "dead letters",
                count=self._unsaid,
                topic=record.topic(),
                offset=record.offset(),
                error=reason[:300],
            )
            self._say_s = time.monotonic() + SAY_EVERY_S
            self._unsaid = 0

    def are_safe(self, within_s: float) -> bool:
        """Wait until Kafka has all letters so far; returns whether it has. May be called by any thread.

        Raises
        ------
        TapewatchError
            Kafka rejected one, whoever waited for it.
        """
        left = self._producer.flush(within_s)
        if self._refusal is not None:
            raise TapewatchError(
                f"Kafka did not accept a dead letter: {self._refusal}.", "Check the broker, then start again."
            )
        return not left

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        """Hear of a failed delivery; called within `flush` or `poll`, so before anything is committed."""
        if error is not None:
            self._refusal = error.str()
