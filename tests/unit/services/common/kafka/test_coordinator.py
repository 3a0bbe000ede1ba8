import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.kafka.coordinator import (
    StuckCoordinator,
    java_string_hash,
    offsets_partition,
    probe_group,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("polygenelubricants", -(2**31)),  # the classic string of the least hash
        ("\U0001f600", 0xD83D * 31 + 0xDE00),  # outside the basic plane: two units
    ],
)
def test_hash_is_the_one_of_java(text: str, value: int) -> None:
    assert java_string_hash(text) == value


def test_partition_of_the_least_hash_is_0_as_it_has_no_positive_counterpart() -> None:
    assert offsets_partition("polygenelubricants", 50) == 0


@settings(deadline=None)
@given(st.text(max_size=30), st.integers(1, 60))
def test_partition_exists_and_the_probe_shares_it(group: str, partitions: int) -> None:
    number = offsets_partition(group, partitions)
    assert 0 <= number < partitions
    assert offsets_partition(probe_group(group, partitions), partitions) == number


def test_stuck_coordinator_is_reported_with_group_partition_and_broker() -> None:
    stuck = StuckCoordinator("tapewatch-indexer", 7, "1 (kafka:9092)", "not written")
    assert "tapewatch-indexer" in stuck.finding
    assert "partition 7 of __consumer_offsets" in stuck.finding
    assert stuck.hint == "Restart the Kafka broker 1 (kafka:9092), which leads that partition."
