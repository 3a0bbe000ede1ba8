"""How many messages of its topics a member of a consumer group is behind."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable

import structlog
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

from services.common.kafka.consumer_loop import ConsumerLoop
from services.common.observability.counters import LAG_MESSAGES

BACKLOG_MESSAGES = 1_000
"""A service that was so far behind says so when it has caught up."""

LAG_EVERY_S = 1.0
ASK_TIMEOUT_S = 1.0


class Lag:
    """Keeps the gauge of messages that were not read, or not finished with.

    Parameters
    ----------
    service
        The process's name.
    loop
        Knows how far was read, and the ends that came with it; while it is paused the broker is asked.
    topics
        Topics that the loop reads. One without a partition here has no lag: another member has it.
    """

    def __init__(self, service: str, loop: ConsumerLoop, topics: list[str]) -> None:
        self._loop = loop
        self._gauges = {topic: LAG_MESSAGES.labels(service, topic) for topic in topics}
        self._next_s = 0.0
        self._has_backlog = False

    def update(self, unfinished: Callable[[], Counter[str]] = Counter, is_paused: bool = False) -> None:
        """Set the gauge, if that was not done a moment ago; the arguments are those of `measure`."""
        if time.monotonic() >= self._next_s:
            self.measure(unfinished, is_paused)

    def measure(self, unfinished: Callable[[], Counter[str]] = Counter, is_paused: bool = False) -> None:
        """Set the gauge now.

        Parameters
        ----------
        unfinished
            Gives the messages that were read and are not finished with, by topic.
        is_paused
            Whether the consumer reads nothing now.
        """
        assignment = self._loop.consumer.assignment()
        if is_paused:
            self._ask_for_ends(assignment)
        self._next_s = time.monotonic() + LAG_EVERY_S
        left = Counter(unfinished())
        for partition in assignment:
            left[partition.topic] += self._left(partition)
        for topic, gauge in self._gauges.items():
            gauge.set(left[topic])
        if left.total() >= BACKLOG_MESSAGES:
            self._has_backlog = True
        elif self._has_backlog and not left.total() and self._knows_all(assignment):
            self._has_backlog = False
            structlog.get_logger().info("caught up", topics=list(self._gauges))

    def _knows_all(self, assignment: list[TopicPartition]) -> bool:
        """Tell whether every partition was read to somewhere; after a rebalance nothing is known at first."""
        known = self._loop.positions.next_offsets
        return bool(assignment) and all((p.topic, p.partition) in known for p in assignment)

    def _ask_for_ends(self, assignment: list[TopicPartition]) -> None:
        level = IsolationLevel.READ_UNCOMMITTED
        with contextlib.suppress(KafkaException):  # the broker is away, too
            self._loop.positions.ends |= self._loop.ends.ask(assignment, level, ASK_TIMEOUT_S)

    def _left(self, partition: TopicPartition) -> int:
        key = (partition.topic, partition.partition)
        position = self._loop.positions.next_offsets.get(key)
        known_end = self._loop.positions.ends.get(key, 0)
        if position is None or position == known_end:
            return 0
        _, end = self._loop.consumer.get_watermark_offsets(partition, cached=True)
        return max(0, end - position, known_end - position)
