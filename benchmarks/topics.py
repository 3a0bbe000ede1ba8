"""Topics as benchmarks look at them from outside: what is in them, and how far a group has committed."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from infra.setup.topics import set_up_topics
from services.common.kafka.clients import READS_ONLY, new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets
from services.common.kafka.reading import partition_numbers, read_to_end
from services.common.kafka.records import Record
from services.common.process.shutdown import Stop
from services.contracts.components import DETECTOR
from services.contracts.topics import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC, TRADES_TOPIC
from services.contracts.trade import decode_trade

REQUEST_TIMEOUT_S = 20.0
POLL_S = 0.02
TAIL_OFFSETS = 100
"""A partition's last record is nearer to its end than this; only transaction markers come after it."""


def records_of(bootstrap: str, topic: str, tail: int | None = None) -> Iterator[Record]:
    """Read a topic's committed records, or those among the last offsets of each partition."""
    reader: Consumer = new_consumer(KafkaConnection(bootstrap), READS_ONLY)
    starts = []
    for number in partition_numbers(reader, topic):
        low, high = reader.get_watermark_offsets(TopicPartition(topic, number), timeout=REQUEST_TIMEOUT_S)
        starts.append(TopicPartition(topic, number, low if tail is None else max(low, high - tail)))
    reader.close()
    return read_to_end(KafkaConnection(bootstrap), starts, Stop(on_signals=False))


def read_topic(bootstrap: str, topic: str) -> list[Record]:
    """Return a topic's committed records."""
    return list(records_of(bootstrap, topic))


def appended_s(bootstrap: str) -> dict[str, float]:
    """Return when the broker appended each trade, in seconds since 1970, by the trades' ids."""
    return {
        decode_trade(record.value()).trade_id: record.timestamp()[1] / 1000
        for record in records_of(bootstrap, TRADES_TOPIC)
    }


def ends_of_records(bootstrap: str, topic: str) -> dict[int, int]:
    """Return the offset after the last record of each partition that has one."""
    ends: dict[int, int] = {}
    for record in records_of(bootstrap, topic, tail=TAIL_OFFSETS):
        number = record.partition()
        ends[number] = max(ends.get(number, 0), record.offset() + 1)
    return ends


def is_readable(bootstrap: str, topic: str) -> bool:
    """Tell whether no transaction is open that hides records of a topic."""
    kafka = KafkaConnection(bootstrap)
    ends = EndOffsets(kafka)
    try:
        numbers = partition_numbers(new_admin(kafka), topic)
        partitions = [TopicPartition(topic, number) for number in numbers]
        committed = ends.ask(partitions, IsolationLevel.READ_COMMITTED)
        return committed == ends.ask(partitions, IsolationLevel.READ_UNCOMMITTED)
    finally:
        ends.close()


def forget_detector(admin: AdminClient) -> None:
    """Delete what a run of the detector left: offsets, state and anomalies."""
    with contextlib.suppress(KafkaException):  # there is no group before the first run
        for deleted in admin.delete_consumer_groups([DETECTOR.group]).values():
            deleted.result()
    topics = [ANOMALIES_TOPIC, CHECKPOINTS_TOPIC]
    for deleted in admin.delete_topics(topics).values():
        deleted.result()
    while set(topics) & admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics.keys():
        time.sleep(POLL_S)
    set_up_topics(admin)
    await_topics(admin, topics)


def await_topics(admin: AdminClient, topics: Iterable[str]) -> None:
    """Wait until the broker lists topics that were created; it does so a moment later."""
    while not set(topics) <= admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics.keys():
        time.sleep(POLL_S)


def topic_sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each topic's log in a broker's folder."""
    sizes: dict[str, int] = defaultdict(int)
    for partition in folder.iterdir():
        topic, _, number = partition.name.rpartition("-")
        if not topic or not number.isdigit():
            continue
        for log in partition.glob("*.log"):
            try:
                sizes[topic] += log.stat().st_size
            except FileNotFoundError:
                continue  # deleted a moment ago
    return dict(sizes)


class Lag:
    """Asks how much of a topic a group has not committed, without joining the group.

    Parameters
    ----------
    kafka
        Where that Kafka is.
    group, topic
        The group, and the topic; it exists.
    answer_within_s
        How long the broker may take to answer.
    """

    def __init__(
        self, kafka: KafkaConnection, group: str, topic: str, answer_within_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        self._answer_within_s = answer_within_s
        self._reader: Consumer = new_consumer(kafka, group, log_level=0, error_cb=lambda _error: None)
        numbers = partition_numbers(self._reader, topic)
        self._partitions = [TopicPartition(topic, number) for number in numbers]

    def ask(self) -> int | None:
        """Return the messages, ends of transactions included; None if the broker does not answer."""
        within_s = self._answer_within_s
        try:
            committed = self._reader.committed(self._partitions, timeout=within_s)
            ends = [self._reader.get_watermark_offsets(one, timeout=within_s) for one in self._partitions]
        except KafkaException:
            return None
        return sum(high - max(one.offset, low) for one, (low, high) in zip(committed, ends, strict=True))

    def close(self) -> None:
        """Close the client."""
        self._reader.close()


@dataclass(frozen=True)
class Seen:
    """What was seen of a group's offsets.

    Parameters
    ----------
    at_s
        When, by the monotonic clock.
    offsets
        Committed offsets of all partitions together.
    """

    at_s: float
    offsets: int


class Commits:
    """Asks how far a group has committed a topic, without joining the group; a context manager.

    Parameters
    ----------
    bootstrap, topic, group
        Kafka, the topic, and the group.
    ends
        Offset after the last record of each partition; a group counts as at the end there, whatever comes
        after it.
    """

    def __init__(self, bootstrap: str, topic: str, group: str, ends: Mapping[int, int]) -> None:
        self._topic = topic
        self._ends = ends
        self.total = sum(ends.values())
        self._reader: Consumer = new_consumer(KafkaConnection(bootstrap), group)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()

    def ask(self) -> Seen:
        """Ask for the group's offsets."""
        # Consumer.committed, as AdminClient's call for this can crash on a broker that never had a group.
        partitions = [TopicPartition(self._topic, number) for number in self._ends]
        answer = self._reader.committed(partitions, timeout=REQUEST_TIMEOUT_S)
        offsets = sum(min(max(p.offset, 0), self._ends[p.partition]) for p in answer)
        return Seen(time.perf_counter(), offsets)
