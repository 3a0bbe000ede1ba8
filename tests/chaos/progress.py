"""Progress of the trades, tracked by a thread while the pipeline runs."""

import re
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.common.kafka.clients import new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers
from services.common.kafka.records import Record
from services.contracts.components import DETECTOR
from services.contracts.sinks import SINKS
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC
from tests.narrow import value_of

POLL_S = 0.05
ANSWER_WITHIN_S = 1.0
_TRADE_ID = re.compile(rb'"trade_id":"([^"]*)"')

Offsets = Mapping[tuple[str, int], int]


@dataclass(frozen=True)
class Progress:
    """Trades that have passed each stage, each counted once however often it was published."""

    published: int = 0
    detected: int = 0
    indexed: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(SINKS, 0))
    """By sink."""
    records: int = 0
    """Records in `trades`, repeated ones too."""
    busy_partitions: frozenset[int] = frozenset()
    """Partitions that have trades."""
    is_settled: bool = False
    """All groups have committed beyond the last record of all that they read."""


class Tape:
    """Positions of a topic's records, to convert offsets to counts of trades.

    The difference between two offsets is no such count: the markers of transactions and what was aborted
    take offsets too.
    """

    def __init__(self) -> None:
        self.records = 0
        self.last_offsets: dict[int, int] = {}
        self._offsets: dict[int, list[int]] = {}
        self._known: set[bytes] = set()

    def add(self, partition: int, offset: int, value: bytes) -> None:
        """Take note of the next record of a partition."""
        self.records += 1
        self.last_offsets[partition] = offset
        found = _TRADE_ID.search(value)
        trade_id = found[1] if found else value
        if trade_id not in self._known:
            self._known.add(trade_id)
            self._offsets.setdefault(partition, []).append(offset)

    @property
    def trades(self) -> int:
        """Trades so far."""
        return len(self._known)

    def passed(self, next_offsets: Mapping[int, int]) -> int:
        """Return how many trades are before the given offsets, by partition."""
        return sum(
            bisect_left(offsets, next_offsets.get(partition, 0))
            for partition, offsets in self._offsets.items()
        )

    def is_passed(self, next_offsets: Mapping[int, int]) -> bool:
        """Tell whether every record is before the given offsets."""
        return all(next_offsets.get(partition, 0) > last for partition, last in self.last_offsets.items())


class ProgressReader:
    """Reads both topics and the groups' offsets repeatedly, from its creation to `close`.

    Parameters
    ----------
    kafka
        A Kafka that has the topics; while it does not answer later, the last progress stands.
    sinks
        Those whose indexers run.
    """

    def __init__(self, kafka: KafkaConnection, sinks: Sequence[str] = ("elasticsearch",)) -> None:
        self.current = Progress()
        self._failure: Exception | None = None
        self._closing = threading.Event()
        self._tapes = {TRADES_TOPIC: Tape(), ANOMALIES_TOPIC: Tape()}
        self._reader = _quiet_consumer(kafka, "chaos-reads-only")
        # Asked for now, while Kafka surely answers.
        self._partitions = {topic: partition_numbers(self._reader, topic) for topic in self._tapes}
        self._indexers = {sink: SINKS[sink].component.group for sink in sinks}
        self._groups = {
            group: _quiet_consumer(kafka, group) for group in (DETECTOR.group, *self._indexers.values())
        }
        self._thread = threading.Thread(target=self._run, name="chaos-progress")
        self._thread.start()

    def check(self) -> None:
        """Raise the error that ended the thread, if any."""
        if self._failure:
            raise self._failure

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._reader.assign(
                [
                    TopicPartition(topic, number, 0)
                    for topic, numbers in self._partitions.items()
                    for number in numbers
                ]
            )
            while not self._closing.is_set():
                self._read()
                try:
                    self.current = self._state()
                except KafkaException:
                    continue
        except Exception as error:
            self._failure = error
        finally:
            for consumer in (self._reader, *self._groups.values()):
                consumer.close()

    def _read(self) -> None:
        messages = self._reader.consume(20_000, POLL_S)
        for record in cast("list[Record]", [message for message in messages if message.error() is None]):
            self._tapes[record.topic()].add(record.partition(), record.offset(), value_of(record))

    def _state(self) -> Progress:
        trades, anomalies = self._tapes[TRADES_TOPIC], self._tapes[ANOMALIES_TOPIC]
        detector = self._committed(DETECTOR.group, TRADES_TOPIC)
        indexed = {sink: self._committed(group, TRADES_TOPIC) for sink, group in self._indexers.items()}
        others = [self._committed(group, ANOMALIES_TOPIC) for group in self._indexers.values()]
        return Progress(
            published=trades.trades,
            detected=trades.passed(detector),
            indexed={sink: trades.passed(offsets) for sink, offsets in indexed.items()},
            records=trades.records,
            busy_partitions=frozenset(trades.last_offsets),
            is_settled=(
                trades.is_passed(detector)
                and all(map(trades.is_passed, indexed.values()))
                and all(map(anomalies.is_passed, others))
            ),
        )

    def _committed(self, group: str, topic: str) -> dict[int, int]:
        partitions = [TopicPartition(topic, number) for number in self._partitions[topic]]
        answer = self._groups[group].committed(partitions, timeout=ANSWER_WITHIN_S)
        return {partition.partition: max(partition.offset, 0) for partition in answer}


def _quiet_consumer(kafka: KafkaConnection, group: str) -> Consumer:
    """Return a consumer that does not log an unavailable broker, which is killed repeatedly."""
    return new_consumer(kafka, group, log_level=0, error_cb=lambda _error: None)
