from dataclasses import dataclass
from typing import cast

from confluent_kafka import TopicPartition

from services.contracts.tape_clock import UNKNOWN, ClockReading
from services.detector.live.assignment import Assignment, Phase
from services.detector.live.partition import WatchedPartition


@dataclass
class Watched:
    """The parts of a `WatchedPartition` that an assignment uses."""

    position: int
    publish_from: int = 0
    clock: ClockReading = UNKNOWN

    @property
    def is_replaying(self) -> bool:
        return self.position < self.publish_from


def watched(position: int, publish_from: int = 0) -> WatchedPartition:
    return cast("WatchedPartition", Watched(position, publish_from))


def taken(**offsets: int) -> Assignment:
    """Assign partitions; `p3=10` is number 3 with everything before 10 committed."""
    assignment = Assignment()
    assignment.begin()
    for name, committed in offsets.items():
        assignment.take(int(name[1:]), watched(committed), committed)
    assignment.begun()
    return assignment


def as_pairs(offsets: list[TopicPartition]) -> list[tuple[int, int]]:
    return [(offset.partition, offset.offset) for offset in offsets]


def test_partition_replays_until_it_has_come_to_the_committed_offset() -> None:
    assignment = Assignment()
    assignment.take(3, watched(10, publish_from=20), 20)
    assert assignment.phase(3) is Phase.REPLAYING
    assert assignment.is_replaying
    assert assignment.to_replay == 10
    assignment.reach({("trades", 3): 20})
    assert assignment.phase(3) is Phase.LIVE
    assert assignment.to_replay == 0


def test_marker_behind_the_last_record_counts_as_read_but_never_backwards() -> None:
    assignment = taken(p0=5)
    assignment.reach({("trades", 0): 3, ("trades", 1): 9})
    assert assignment.partitions[0].position == 5
    assignment.reach({("trades", 0): 6})
    assert assignment.partitions[0].position == 6


def test_only_positions_beyond_the_committed_ones_are_committed() -> None:
    assignment = taken(p0=5, p1=7)
    read = {("trades", 0): 5, ("trades", 1): 8, ("trades", 2): 4}
    assert as_pairs(assignment.uncommitted(read)) == [(1, 8)]
    assert as_pairs(assignment.unchanged()) == [(0, 5), (1, 7)]
    assignment.note_committed(assignment.uncommitted(read))
    assert assignment.uncommitted(read) == []
    assert as_pairs(assignment.unchanged()) == [(0, 5), (1, 8)]


def test_offsets_are_committed_with_the_clock_of_their_partition() -> None:
    assignment = taken(p0=5, p1=7)
    cast("Watched", assignment.partitions[0]).clock = ClockReading(17, 19)
    assert [place.metadata for place in assignment.unchanged()] == ["17 19", ""]
    assert [place.metadata for place in assignment.uncommitted({("trades", 0): 8})] == ["17 19"]


def test_partition_handed_over_is_kept_for_the_next_time() -> None:
    assignment = taken(p0=5, p1=7)
    kept = assignment.partitions[0]
    assignment.hand_over()
    assert assignment.phase(0) is Phase.STANDBY
    assert assignment.partitions == {}
    assert assignment.unchanged() == []
    assert assignment.standby(0) is kept
    assignment.hand_over()  # what comes and goes without being restored changes nothing
    assert assignment.standby(0) is kept


def test_what_does_not_come_back_at_once_is_not_known_any_more() -> None:
    assignment = taken(p0=5, p1=7)
    assignment.hand_over()
    assignment.begin()
    assignment.take(1, watched(7), 7)
    assignment.begun()
    assert assignment.phase(0) is None
    assert assignment.standby(1) is None


def test_lost_partition_is_not_kept_but_one_handed_over_before_is() -> None:
    assignment = taken(p0=5)
    assignment.hand_over()
    assignment.take(1, watched(7), 7)
    assignment.drop()
    assert assignment.phase(1) is None
    assert assignment.phase(0) is Phase.STANDBY


def test_after_an_abort_nothing_is_known() -> None:
    assignment = taken(p0=5)
    assignment.hand_over()
    assignment.take(1, watched(7), 7)
    assignment.forget()
    assert assignment.phase(0) is None
    assert assignment.phase(1) is None
    assert assignment.uncommitted({("trades", 1): 9}) == []
