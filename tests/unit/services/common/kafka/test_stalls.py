from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException

from services.common.kafka.end_offsets import Partition
from services.common.kafka.stalls import CHECK_AFTER_S, StallWatch

ONE, OTHER = ("trades", 0), ("trades", 1)


class Broker:
    """Tells ends at once, or does not answer."""

    def __init__(self, ends: dict[Partition, int]) -> None:
        self.ends = ends
        self.is_away = False
        self.questions = 0

    def ask(self) -> Future[dict[Partition, int]]:
        self.questions += 1
        answer: Future[dict[Partition, int]] = Future()
        if self.is_away:
            answer.set_exception(KafkaException(KafkaError(KafkaError._TRANSPORT)))
        else:
            answer.set_result(dict(self.ends))
        return answer


def checked(watch: StallWatch, next_offsets: dict[Partition, int], times: int = 1) -> list[Partition]:
    """Let the time of some checks pass; returns what the last one says."""
    stalled: list[Partition] = []
    for _ in range(times):
        watch.turn(CHECK_AFTER_S, next_offsets)
        stalled = watch.turn(0.0, next_offsets)
    return stalled


def test_partition_that_stands_still_before_its_end_has_stalled() -> None:
    watch = StallWatch(Broker({ONE: 5, OTHER: 7}).ask)
    assert checked(watch, {ONE: 5, OTHER: 3}) == []
    assert checked(watch, {ONE: 5, OTHER: 3}) == [OTHER]


def test_partition_of_which_nothing_ever_came_has_stalled() -> None:
    watch = StallWatch(Broker({ONE: 0}).ask)
    assert checked(watch, {}, times=2) == [ONE]


def test_partition_that_moves_has_not_stalled() -> None:
    watch = StallWatch(Broker({ONE: 100}).ask)
    for at in range(10):
        assert checked(watch, {ONE: at}) == []


def test_partition_at_its_end_has_not_stalled() -> None:
    watch = StallWatch(Broker({ONE: 5}).ask)
    assert checked(watch, {ONE: 5}, times=5) == []


def test_broker_that_does_not_answer_explains_the_silence() -> None:
    broker = Broker({ONE: 5})
    watch = StallWatch(broker.ask)
    assert checked(watch, {ONE: 3}) == []
    broker.is_away = True
    assert checked(watch, {ONE: 3}, times=3) == []
    broker.is_away = False
    assert checked(watch, {ONE: 3}) == []
    assert checked(watch, {ONE: 3}) == [ONE]


def test_broker_is_only_asked_after_some_waiting() -> None:
    broker = Broker({ONE: 5})
    watch = StallWatch(broker.ask)
    for _ in range(100):
        watch.turn(CHECK_AFTER_S / 200, {ONE: 3})
    assert broker.questions == 0


def test_what_was_seen_of_other_partitions_is_forgotten() -> None:
    watch = StallWatch(Broker({ONE: 5}).ask)
    assert checked(watch, {ONE: 3}) == []
    watch.settle()
    assert checked(watch, {ONE: 3}) == []
