from collections import Counter
from types import SimpleNamespace
from typing import cast

import pytest
import structlog
from confluent_kafka import TopicPartition
from prometheus_client import REGISTRY

from services.common.kafka.consumer_loop import ConsumerLoop
from services.common.kafka.lag import BACKLOG_MESSAGES, Lag
from services.common.kafka.offsets import Positions

TOPICS = ["trades", "anomalies"]


class Consumer:
    def __init__(self) -> None:
        self.assigned = [TopicPartition("trades", 0), TopicPartition("trades", 1)]
        self.ends = {0: 10, 1: 20}

    def assignment(self) -> list[TopicPartition]:
        return self.assigned

    def get_watermark_offsets(self, partition: TopicPartition, cached: bool) -> tuple[int, int]:
        assert cached
        return 0, self.ends[partition.partition]


class Loop:
    def __init__(self) -> None:
        self.consumer = Consumer()
        self.ends = SimpleNamespace(ask=lambda *_: {("trades", 0): 100})
        self.positions = Positions()
        self.positions.next_offsets = {("trades", 0): 7, ("trades", 1): 20}


@pytest.fixture
def loop() -> Loop:
    return Loop()


def new_lag(service: str, loop: Loop) -> Lag:
    return Lag(service, cast("ConsumerLoop", loop), TOPICS)


def messages(service: str, topic: str = "trades") -> float | None:
    return REGISTRY.get_sample_value("tapewatch_lag_messages", {"service": service, "topic": topic})


def test_messages_that_were_not_read_or_not_finished_with_are_counted_by_topic(loop: Loop) -> None:
    new_lag("lag-1", loop).update(lambda: Counter(trades=2, anomalies=1))
    assert (messages("lag-1"), messages("lag-1", "anomalies")) == (5, 1)


def test_member_whose_partitions_went_to_another_has_no_lag(loop: Loop) -> None:
    of_member = new_lag("lag-2", loop)
    of_member.measure()
    assert messages("lag-2") == 3
    loop.consumer.assigned = []
    of_member.measure()
    assert messages("lag-2") == 0


def test_gauge_is_not_set_again_too_soon_unless_forced(loop: Loop) -> None:
    of_member = new_lag("lag-3", loop)
    of_member.update()
    loop.consumer.ends[0] = 12
    of_member.update()
    assert messages("lag-3") == 3
    of_member.measure()
    assert messages("lag-3") == 5


def test_end_offsets_are_queried_while_nothing_is_read(loop: Loop) -> None:
    new_lag("lag-4", loop).update(is_paused=True)
    assert messages("lag-4") == 93


def test_partition_read_to_its_end_has_no_lag_despite_a_marker_at_its_end(loop: Loop) -> None:
    loop.positions.ends = {("trades", 0): 7}
    new_lag("lag-5", loop).update()
    assert messages("lag-5") == 0


def test_service_that_was_behind_says_once_when_it_has_caught_up(loop: Loop) -> None:
    of_member = new_lag("lag-6", loop)
    with structlog.testing.capture_logs() as logs:
        of_member.measure()  # a few messages are no backlog
        loop.positions.next_offsets[("trades", 0)] = 10
        of_member.measure()
        assert logs == []
        loop.consumer.ends[0] = 10 + BACKLOG_MESSAGES
        of_member.measure()
        loop.positions.next_offsets[("trades", 0)] += BACKLOG_MESSAGES
        loop.consumer.assigned = []
        of_member.measure()  # its partitions went to another
        assert logs == []
        loop.consumer.assigned = [TopicPartition("trades", 0), TopicPartition("trades", 1)]
        read = loop.positions.next_offsets
        loop.positions.next_offsets = {}
        of_member.measure()  # just assigned, and nothing read yet
        assert logs == []
        loop.positions.next_offsets = read
        of_member.measure()
        of_member.measure()
    assert [entry["event"] for entry in logs] == ["caught up"]
