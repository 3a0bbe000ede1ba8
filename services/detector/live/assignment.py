"""The partitions that a detector works on, and those that it has handed over but still knows."""

from collections.abc import Mapping
from enum import StrEnum

from confluent_kafka import TopicPartition

from services.common.kafka.offsets import Partition
from services.contracts.topics import TRADES_TOPIC
from services.detector.live.partition import WatchedPartition


class Phase(StrEnum):
    """Where one partition stands."""

    REPLAYING = "replaying"
    """Its state is rebuilt from trades before the committed offset; nothing is published."""
    LIVE = "live"
    """Its trades are judged, and what is found is published."""
    HANDED_OVER = "handed over"
    """Others have it. What is known of it is kept, in case it comes back as it went."""


class Assignment:
    """Partitions with their engines and committed offsets; knows no client."""

    def __init__(self) -> None:
        self.partitions: dict[int, WatchedPartition] = {}
        """Those in hand, by number."""
        self._handed_over: dict[int, WatchedPartition] = {}
        self._committed: dict[int, int] = {}

    def phase(self, number: int) -> Phase | None:
        """Tell where a partition stands; None for one that is not known."""
        if number in self.partitions:
            return Phase.REPLAYING if self.partitions[number].is_replaying else Phase.LIVE
        return Phase.HANDED_OVER if number in self._handed_over else None

    @property
    def is_replaying(self) -> bool:
        """Whether any partition in hand is."""
        return any(partition.is_replaying for partition in self.partitions.values())

    @property
    def to_replay(self) -> int:
        """How many offsets are before the committed ones."""
        return sum(max(p.publish_from - p.position, 0) for p in self.partitions.values())

    def begin(self) -> None:
        """Begin to take partitions in hand: none is so far."""
        self.partitions = {}
        self._committed = {}

    def handed_over(self, number: int) -> WatchedPartition | None:
        """Return a partition as it was handed over; None if it was not, or is not known any more."""
        return self._handed_over.get(number)

    def take(self, number: int, partition: WatchedPartition, committed: int) -> None:
        """Take a partition in hand, with the group's committed offset."""
        self.partitions[number] = partition
        self._committed[number] = committed

    def begun(self) -> None:
        """Have taken all: what is not among them is not known any more."""
        self._handed_over = {}

    def hand_over(self) -> None:
        """Work on nothing, but keep what is known, in case a partition comes back as it went."""
        self._handed_over |= self.partitions
        self.begin()

    def drop(self) -> None:
        """Work on nothing, and keep nothing of what was in hand: it is further than what is committed."""
        self.begin()

    def forget(self) -> None:
        """Know nothing, not even what was handed over: after an abort it may be further than the topic."""
        self.begin()
        self._handed_over = {}

    def reach(self, next_offsets: Mapping[Partition, int]) -> None:
        """Take over how far was read: behind its last record a partition ends with a transaction's marker."""
        for number, partition in self.partitions.items():
            partition.position = max(partition.position, next_offsets.get((TRADES_TOPIC, number), 0))

    def uncommitted(self, next_offsets: Mapping[Partition, int]) -> list[TopicPartition]:
        """Return the positions that are beyond the committed offsets."""
        return [
            TopicPartition(topic, number, offset)
            for (topic, number), offset in next_offsets.items()
            if offset > self._committed.get(number, offset)
        ]

    def unchanged(self) -> list[TopicPartition]:
        """Return the offsets that are committed."""
        return [TopicPartition(TRADES_TOPIC, *item) for item in self._committed.items()]

    def note_committed(self, offsets: list[TopicPartition]) -> None:
        """Take offsets of partitions in hand as committed."""
        for offset in offsets:
            self._committed[offset.partition] = offset.offset
            self.partitions[offset.partition].position = offset.offset
