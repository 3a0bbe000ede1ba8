"""The partitions that a detector works on, and those it gave up but keeps on standby."""

from collections.abc import Mapping
from enum import StrEnum

from confluent_kafka import TopicPartition

from services.common.kafka.end_offsets import Partition
from services.contracts.tape_clock import clock_metadata
from services.contracts.topics import TRADES_TOPIC
from services.detector.live.partition import WatchedPartition


class Phase(StrEnum):
    """State of a partition."""

    REPLAYING = "replaying"
    """Its state is rebuilt from trades before the committed offset; nothing is published."""
    LIVE = "live"
    """Its trades are judged, and anomalies are published."""
    STANDBY = "standby"
    """Another detector owns it. Its state is kept in case it comes back unchanged."""


class Assignment:
    """Partitions with their engines and committed offsets, without any Kafka client."""

    def __init__(self) -> None:
        self.partitions: dict[int, WatchedPartition] = {}
        """The assigned partitions, by number."""
        self._standby: dict[int, WatchedPartition] = {}
        self._committed: dict[int, int] = {}

    def phase(self, number: int) -> Phase | None:
        """Return the phase of a partition; None for an unknown one."""
        if number in self.partitions:
            return Phase.REPLAYING if self.partitions[number].is_replaying else Phase.LIVE
        return Phase.STANDBY if number in self._standby else None

    @property
    def is_replaying(self) -> bool:
        """Whether any assigned partition is replaying."""
        return any(partition.is_replaying for partition in self.partitions.values())

    @property
    def to_replay(self) -> int:
        """Number of messages to replay, over all partitions."""
        return sum(max(p.publish_from - p.position, 0) for p in self.partitions.values())

    def begin(self) -> None:
        """Start a new assignment, with no partitions so far."""
        self.partitions = {}
        self._committed = {}

    def standby(self, number: int) -> WatchedPartition | None:
        """Return a partition on standby; None if it is not on standby."""
        return self._standby.get(number)

    def take(self, number: int, partition: WatchedPartition, committed: int) -> None:
        """Add a partition, with the group's committed offset."""
        self.partitions[number] = partition
        self._committed[number] = committed

    def begun(self) -> None:
        """Finish the assignment; partitions on standby are forgotten."""
        self._standby = {}

    def hand_over(self) -> None:
        """Put all partitions on standby, in case they come back unchanged."""
        self._standby |= self.partitions
        self.begin()

    def drop(self) -> None:
        """Drop all assigned partitions; their state may be ahead of what is committed."""
        self.begin()

    def forget(self) -> None:
        """Drop all partitions, standby included; after an abort their state may be ahead of the topic."""
        self.begin()
        self._standby = {}

    def reach(self, next_offsets: Mapping[Partition, int]) -> None:
        """Advance positions to the offsets read, which include transaction markers after the last record."""
        for number, partition in self.partitions.items():
            partition.position = max(partition.position, next_offsets.get((TRADES_TOPIC, number), 0))

    def uncommitted(self, next_offsets: Mapping[Partition, int]) -> list[TopicPartition]:
        """Return the positions after the committed offsets."""
        return [
            self._at(number, offset)
            for (_, number), offset in next_offsets.items()
            if offset > self._committed.get(number, offset)
        ]

    def unchanged(self) -> list[TopicPartition]:
        """Return the committed offsets."""
        return [self._at(*item) for item in self._committed.items()]

    def _at(self, number: int, offset: int) -> TopicPartition:
        """Return an offset as it is committed: with the tape's clock."""
        metadata = clock_metadata(self.partitions[number].clock)
        return TopicPartition(TRADES_TOPIC, number, offset, metadata=metadata)

    def note_committed(self, offsets: list[TopicPartition]) -> None:
        """Record offsets of assigned partitions as committed."""
        for offset in offsets:
            self._committed[offset.partition] = offset.offset
            self.partitions[offset.partition].position = offset.offset
