"""Which broker coordinates a consumer group, and whether it still can.

After a crash and a quick restart under load the coordinator of Kafka 4.3 may get out of step with its log: it
answers, but no write of its partition of `__consumer_offsets` succeeds any more, so no group forms and no
offset is committed there until that broker is restarted. Asking for the group's description does not show it;
a commit does.
"""

import itertools
import string
import time
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import ClusterMetadata

from services.common.kafka.authorization import DENIED
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.process.background import in_background

OFFSETS_TOPIC = "__consumer_offsets"
PROBE_PREFIX = "tapewatch-probe-"
PROBE_TIMEOUT_S = 10.0
"""A coordinator that has just moved loads its log within that time."""

_SUFFIXES = f"{string.digits}{string.ascii_letters}._{{|}}"
"""They cover all remainders of 31, the hash's factor: with fewer, some partitions could not be reached."""

_POLL_S = 0.1
_NOT_AUTHORIZED = (*DENIED, KafkaError._AUTHENTICATION)


@dataclass(frozen=True)
class StuckCoordinator:
    """A coordinator that answers, but cannot write.

    Attributes
    ----------
    group
        A group that it serves.
    partition
        The partition of `__consumer_offsets` that holds the group.
    broker
        The partition's leader, as `ID (HOST:PORT)`.
    error
        Error of the last write.
    """

    group: str
    partition: int
    broker: str
    error: str

    @property
    def finding(self) -> str:
        """What is wrong, as a sentence without its full stop."""
        return (
            f"the coordinator of the group {self.group} is stuck: it cannot write to partition "
            f"{self.partition} of {OFFSETS_TOPIC} ({self.error}), so no member gets partitions"
        )

    @property
    def hint(self) -> str:
        """What to do about it."""
        return f"Restart the Kafka broker {self.broker}, which leads that partition."


def java_string_hash(text: str) -> int:
    """Return what Java's `String.hashCode` returns, from -2^31 to 2^31 - 1."""
    units = text.encode("utf-16-be")
    value = 0
    for at in range(0, len(units), 2):
        value = (31 * value + int.from_bytes(units[at : at + 2], "big")) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def offsets_partition(group: str, partitions: int) -> int:
    """Return the partition of `__consumer_offsets` that holds a group.

    Parameters
    ----------
    group
        Its id.
    partitions
        How many that topic has (`offsets.topic.num.partitions`).
    """
    value = java_string_hash(group)
    # Kafka's own `Utils.abs`: the least integer has no positive counterpart.
    return 0 if value == -(1 << 31) else abs(value) % partitions


def probe_group(group: str, partitions: int) -> str:
    """Return the name of another group that is held by the same partition of `__consumer_offsets`."""
    wanted = offsets_partition(group, partitions)
    names = (
        PROBE_PREFIX + "".join(suffix)
        for length in itertools.count(1)
        for suffix in itertools.product(_SUFFIXES, repeat=length)
    )
    return next(name for name in names if offsets_partition(name, partitions) == wanted)


def find_stuck_coordinator(
    kafka: KafkaConnection, group: str, topic: str, timeout_s: float = PROBE_TIMEOUT_S
) -> StuckCoordinator | None:
    """Commit an offset in a probe group that the same coordinator serves; report if that fails.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    group
        The group whose coordinator is meant.
    topic
        An existing topic; the probe's offset is for its partition 0.
    timeout_s
        A coordinator that has accepted no write for so long is stuck.

    Returns
    -------
    StuckCoordinator or None
        None if the write succeeds, or cannot be tried: without the topic `__consumer_offsets` no group
        exists yet, and a user may lack the right to see it or to commit.

    Raises
    ------
    KafkaException
        No broker answers.
    """
    cluster = new_admin(kafka).list_topics(timeout=REQUEST_TIMEOUT_S)
    place = _place(cluster, group)
    if place is None:
        return None
    partition, broker, partitions = place
    error = _commit_error(kafka, probe_group(group, partitions), topic, timeout_s)
    if error is None or error.code() in _NOT_AUTHORIZED:
        return None
    new_admin(kafka).list_topics(topic, timeout=REQUEST_TIMEOUT_S)  # it may have become unavailable meanwhile
    return StuckCoordinator(group, partition, broker, error.str())


def _place(cluster: ClusterMetadata, group: str) -> tuple[int, str, int] | None:
    """Return a group's partition, that one's leader, and the number of partitions; None if not told."""
    topic = cluster.topics.get(OFFSETS_TOPIC)
    if topic is None or not topic.partitions:
        return None
    number = offsets_partition(group, len(topic.partitions))
    leader = topic.partitions[number].leader
    node = cluster.brokers.get(leader)
    broker = f"{leader} ({node.host}:{node.port})" if node else "that should lead it, but is missing,"
    return number, broker, len(topic.partitions)


def _commit_error(kafka: KafkaConnection, group: str, topic: str, timeout_s: float) -> KafkaError | None:
    """Try commits until one succeeds or the time is over; returns the last one's error."""
    answers: list[KafkaError | None] = []

    def answered(error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        answers.append(error or next((p.error for p in partitions if p.error is not None), None))

    consumer: Consumer = new_consumer(kafka, group, on_commit=answered)
    error: KafkaError | None = KafkaError(KafkaError._TIMED_OUT)
    deadline_s = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline_s:
            answers.clear()
            consumer.commit(offsets=[TopicPartition(topic, 0, 0)], asynchronous=True)
            while not answers and time.monotonic() < deadline_s:
                consumer.poll(_POLL_S)
            if answers:
                error = answers[0]
                if error is None or error.code() in _NOT_AUTHORIZED:
                    break
                time.sleep(_POLL_S)
    except KafkaException as failure:
        error = failure.args[0]
    finally:
        in_background(consumer.close)  # it may wait for the very answer that does not come
    return error
