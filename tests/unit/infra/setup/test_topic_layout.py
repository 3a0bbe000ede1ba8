import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.setup.topic_layout import FoundTopic, TopicLayout, check_layout, for_good, number_of_partitions
from services.common.errors import TapewatchError
from services.contracts.topics import DEFAULT_PARTITIONS, TOPICS


def topics(partitions: int = 6, replicas: int = 3) -> dict[str, FoundTopic]:
    return {name: FoundTopic(partitions, replicas) for name in TOPICS}


@given(st.integers(1, 512), st.integers(1, 9))
def test_what_is_not_asked_for_is_left_as_it_is(partitions: int, replicas: int) -> None:
    check_layout(TopicLayout(), topics(partitions, replicas), missing=0, brokers=1)


@given(st.integers(1, 512), st.integers(1, 9), st.data())
def test_what_exists_as_asked_for_is_accepted(partitions: int, replicas: int, data: st.DataObject) -> None:
    in_sync = data.draw(st.integers(1, replicas))
    wanted = TopicLayout(partitions, replicas, in_sync)
    check_layout(wanted, topics(partitions, replicas), missing=0, brokers=1)  # some may be down


@pytest.mark.parametrize(
    ("wanted", "cause", "hint"),
    [
        (
            TopicLayout(partitions=24),
            "have 6 partitions, and TAPEWATCH_PARTITIONS is 24",
            "to 6, or unset it",
        ),
        (TopicLayout(replication=1), "is 1, but topics have other", "kafka-reassign-partitions.sh"),
        (TopicLayout(replication=5), r"trades has 3, .* and 10 more differ", "to 3, or unset it"),
    ],
)
def test_what_exists_and_cannot_be_changed_by_setup_is_refused_with_the_fix(
    wanted: TopicLayout, cause: str, hint: str
) -> None:
    with pytest.raises(TapewatchError, match=cause) as caught:
        check_layout(wanted, topics(), missing=0, brokers=3)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [
        (TopicLayout(min_insync_replicas=2), "Set TAPEWATCH_REPLICATION, too: 3"),
        (TopicLayout(replication=1, min_insync_replicas=2), "Set TAPEWATCH_REPLICATION to 3"),
        (TopicLayout(replication=3), "set TAPEWATCH_REPLICATION to 1 at most"),
    ],
)
def test_what_kafka_could_never_write_to_is_refused_before_anything_is_created(
    wanted: TopicLayout, hint: str
) -> None:
    with pytest.raises(TapewatchError) as caught:
        check_layout(wanted, {}, missing=len(TOPICS), brokers=1)
    assert hint in caught.value.hint


def test_what_cannot_be_changed_is_said_before_topics_are_created_and_only_then() -> None:
    layout = TopicLayout(replication=3)
    partitions, replication = for_good(layout, 24, list(TOPICS))
    assert "24 partitions" in partitions
    assert "3 replicas" in replication
    assert for_good(layout, 24, []) == []
    assert for_good(layout, 24, ["corrections"]) == []


def test_a_missing_topic_gets_as_many_partitions_as_those_it_must_agree_with() -> None:
    assert number_of_partitions(TopicLayout(), {}) == DEFAULT_PARTITIONS
    assert number_of_partitions(TopicLayout(partitions=24), {}) == 24
    assert number_of_partitions(TopicLayout(), {"trades": 12, "corrections": 1}) == 12
