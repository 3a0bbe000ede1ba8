"""Reads how far the tape has come from what the detectors commit, to close alerts without a new anomaly.

A clock may only be told when all anomalies that were published with it, or before it, have been taken. So it
is asked for in this order: the detectors' committed offsets, whose metadata are the clocks, then the ends of
`anomalies`; and it is told once those ends have been reached.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import NamedTuple

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition

from services.common.kafka.clients import new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets, Partition
from services.common.process.background import in_background
from services.contracts.components import DETECTOR
from services.contracts.tape_clock import read_clock
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC

ASK_EVERY_S = 0.5
ASK_TIMEOUT_S = 2.0


class Waiting(NamedTuple):
    """A clock that is told when everything before an offset of `anomalies` has been taken."""

    clock_ns: int
    end: int


class TapeClocks:
    """The clocks of this instance's partitions.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    """

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._clients: tuple[Consumer, EndOffsets] | None = None
        self._asked: Future[dict[int, Waiting]] | None = None
        self._outdated: set[int] = set()
        """Partitions of which the answer to the question in flight no longer counts."""
        self._is_outdated = False
        """Whether none of it counts."""
        self._ask_at_s = 0.0
        self._waiting: dict[int, Waiting] = {}

    def due(self, numbers: list[int], next_offsets: Mapping[Partition, int]) -> dict[int, int]:
        """Return clocks that may be told now, in ns by the partition's number; asks for new ones.

        One that stands still is told again: what it is past may have been opened since, by an old anomaly.

        Parameters
        ----------
        numbers
            Those of this instance's partitions that have something to close.
        next_offsets
            How far they have been taken.
        """
        self._take_answer()
        if self._asked is None and numbers and time.monotonic() >= self._ask_at_s:
            self._ask_at_s = time.monotonic() + ASK_EVERY_S
            self._outdated.clear()
            self._is_outdated = False
            self._asked = in_background(self._ask, numbers)
        due = {}
        for number, waiting in list(self._waiting.items()):
            if next_offsets.get((ANOMALIES_TOPIC, number), -1) >= waiting.end:
                del self._waiting[number]
                due[number] = waiting.clock_ns
        return due

    def forget(self, number: int) -> None:
        """Drop what is known of a partition's clock: a reset has started it again."""
        self._outdated.add(number)
        self._waiting.pop(number, None)

    def forget_all(self) -> None:
        """Drop everything: the partitions were given up, or go back to what was committed."""
        self._is_outdated = True
        self._waiting.clear()

    def _take_answer(self) -> None:
        if self._asked is None or not self._asked.done():
            return
        asked, self._asked = self._asked, None
        error = asked.exception()
        if self._is_outdated or isinstance(error, KafkaException):
            return  # if the broker is away, it is asked again
        for number, waiting in asked.result().items():
            # One that waits stays: its end is reached sooner.
            if number not in self._outdated:
                self._waiting.setdefault(number, waiting)

    def _ask(self, numbers: list[int]) -> dict[int, Waiting]:
        if self._clients is None:
            # Offsets of a transaction that is still open are not waited for.
            config = {"isolation.level": "read_uncommitted"}
            self._clients = new_consumer(self._kafka, DETECTOR.group, **config), EndOffsets(self._kafka)
        consumer, ends = self._clients
        committed = consumer.committed(
            [TopicPartition(TRADES_TOPIC, number) for number in numbers], timeout=ASK_TIMEOUT_S
        )
        clocks = {place.partition: read_clock(place.metadata).ns for place in committed if not place.error}
        wanted = [TopicPartition(ANOMALIES_TOPIC, number) for number, clock_ns in clocks.items() if clock_ns]
        # The markers of a committed transaction may come after its offsets, so open ones count too.
        found = ends.ask(wanted, IsolationLevel.READ_UNCOMMITTED, ASK_TIMEOUT_S)
        return {number: Waiting(clocks[number], end) for (_, number), end in found.items()}
