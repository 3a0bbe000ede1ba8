"""What the indexer counts and measures."""

import datetime as dt
import time
from collections import Counter as Count

import prometheus_client as prometheus
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from services.common.counters import COMMIT_SECONDS, DEAD_LETTERS, EVENT_LAG_S, LAG_MESSAGES
from services.common.kafka import Partition, Positions
from services.common.metrics import Rate

SERVICE = "indexer"
LAG_EVERY_S = 1.0

INDEXED = prometheus.Counter(
    "tapewatch_indexed_documents_total", "Documents that Elasticsearch has acknowledged", ["topic"]
)
RETRACTIONS = prometheus.Counter("tapewatch_retractions_total", "Anomalies taken back")
BULK_RETRIES = prometheus.Counter(
    "tapewatch_bulk_retries_total", "Bulk requests that had to be sent again, in part or as a whole"
)
BULK_SECONDS = prometheus.Histogram("tapewatch_bulk_seconds", "Time of a bulk request, in seconds")
PER_SECOND = prometheus.Gauge(
    "tapewatch_documents_per_second", "Documents acknowledged, over the last seconds"
)
COMMIT_TIME = COMMIT_SECONDS.labels(SERVICE)


class Tally:
    """What this process has done so far."""

    def __init__(self) -> None:
        self.indexed = self.retractions = self.dead_letters = 0
        self._rate = Rate(PER_SECOND)
        self._newest: dt.datetime | None = None

    def add(self, by_topic: Count[str], retractions: int) -> None:
        """Count what Elasticsearch has acknowledged."""
        indexed = by_topic.total()
        self.indexed += indexed
        self.retractions += retractions
        for topic, count in by_topic.items():
            INDEXED.labels(topic).inc(count)
        RETRACTIONS.inc(retractions)
        self._rate.add(indexed + retractions)

    def add_dead_letter(self) -> None:
        """Count a dead letter that was handed to Kafka."""
        self.dead_letters += 1
        DEAD_LETTERS.labels(SERVICE).inc()

    def note_event(self, source: bytes) -> None:
        """Take the event time of a document as the newest, if it is."""
        start = source.find(b'"@timestamp":"') + len(b'"@timestamp":"')
        try:
            at = dt.datetime.fromisoformat(source[start : start + 19].decode()).replace(tzinfo=dt.UTC)
        except ValueError:  # written in another form; the next batch will do
            return
        self._newest = max(at, self._newest or at)
        EVENT_LAG_S.labels(SERVICE).set(time.time() - self._newest.timestamp())


class Lag:
    """Keeps the gauge of messages not yet read.

    Parameters
    ----------
    consumer
        Asked for the ends that it knows; this costs no request.
    positions
        How far it has come.
    """

    def __init__(self, consumer: Consumer, positions: Positions) -> None:
        self._consumer = consumer
        self._positions = positions
        self._ends: dict[Partition, int] = {}
        self._next_s = 0.0

    def note_ends(self, messages: list[Message]) -> None:
        """Note which partitions were read to their ends."""
        for message in messages:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                self._ends[message.topic(), message.partition()] = message.offset()

    def update(self) -> None:
        """Set the gauge, if that was not done a moment ago."""
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + LAG_EVERY_S
        left: Count[str] = Count()
        for partition in self._consumer.assignment():
            left[partition.topic] += self._left(partition)
        for topic, messages in left.items():
            LAG_MESSAGES.labels(SERVICE, topic).set(messages)

    def _left(self, partition: TopicPartition) -> int:
        key = (partition.topic, partition.partition)
        position = self._positions.next_offsets.get(key)
        if position is None or position == self._ends.get(key):
            return 0
        _, end = self._consumer.get_watermark_offsets(partition, cached=True)
        return max(0, end - position)
