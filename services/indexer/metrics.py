"""What the indexer counts and measures."""

import contextlib
import datetime as dt
import time
from collections import Counter as Count
from collections.abc import Callable

import prometheus_client as prometheus
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

from services.common.kafka.consumer_loop import ConsumerLoop
from services.common.kafka.offsets import end_offsets
from services.common.observability.counters import DEAD_LETTERS, EVENT_LAG_S, LAG_MESSAGES
from services.common.observability.rates import Rate

LAG_EVERY_S = 1.0
ASK_TIMEOUT_S = 1.0

INDEXED = prometheus.Counter(
    "tapewatch_indexed_documents_total", "Documents that the sink has acknowledged", ["topic"]
)
RETRACTIONS = prometheus.Counter("tapewatch_retractions_total", "Anomalies taken back")
PER_SECOND = prometheus.Gauge(
    "tapewatch_documents_per_second", "Documents acknowledged, over the last seconds"
)


class Tally:
    """What this process has done so far.

    Parameters
    ----------
    service
        Its name.
    """

    def __init__(self, service: str) -> None:
        self._event_lag_s = EVENT_LAG_S.labels(service)
        self._dead_letters = DEAD_LETTERS.labels(service)
        self.indexed = self.retractions = self.dead_letters = 0
        self._rate = Rate(PER_SECOND)
        self._newest: dt.datetime | None = None

    def add(self, by_topic: Count[str], retractions: int) -> None:
        """Count what the sink has acknowledged."""
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
        self._dead_letters.inc()

    def note_event(self, value: bytes) -> None:
        """Take the event time of a trade or an anomaly as the newest, if it is."""
        start = value.find(b'"@timestamp":"') + len(b'"@timestamp":"')
        try:
            at = dt.datetime.fromisoformat(value[start : start + 19].decode()).replace(tzinfo=dt.UTC)
        except ValueError:  # written in another form; the next batch will do
            return
        self._newest = max(at, self._newest or at)
        self._event_lag_s.set(time.time() - self._newest.timestamp())


class Lag:
    """Keeps the gauge of messages not yet acknowledged by the sink.

    Parameters
    ----------
    service
        The process's name.
    loop
        Knows how far was read, and the ends that came with it; while it is paused the broker is asked.
    """

    def __init__(self, service: str, loop: ConsumerLoop) -> None:
        self._service = service
        self._loop = loop
        self._next_s = 0.0

    def update(self, unanswered: Callable[[], Count[str]], is_paused: bool = False) -> None:
        """Set the gauge, if that was not done a moment ago.

        Parameters
        ----------
        unanswered
            Gives the messages that were read and wait for the sink, by topic.
        is_paused
            Whether the consumer reads nothing now.
        """
        if time.monotonic() < self._next_s:
            return
        assignment = self._loop.consumer.assignment()
        if is_paused:
            self._ask_for_ends(assignment)
        self._next_s = time.monotonic() + LAG_EVERY_S
        left = Count(unanswered())
        for partition in assignment:
            left[partition.topic] += self._left(partition)
        for topic, messages in left.items():
            LAG_MESSAGES.labels(self._service, topic).set(messages)

    def _ask_for_ends(self, assignment: list[TopicPartition]) -> None:
        level = IsolationLevel.READ_UNCOMMITTED
        with contextlib.suppress(KafkaException):  # the broker is away, too
            self._loop.positions.ends |= end_offsets(self._loop.admin, assignment, level, ASK_TIMEOUT_S)

    def _left(self, partition: TopicPartition) -> int:
        key = (partition.topic, partition.partition)
        position = self._loop.positions.next_offsets.get(key)
        known_end = self._loop.positions.ends.get(key, 0)
        if position is None or position == known_end:
            return 0
        _, end = self._loop.consumer.get_watermark_offsets(partition, cached=True)
        return max(0, end - position, known_end - position)
