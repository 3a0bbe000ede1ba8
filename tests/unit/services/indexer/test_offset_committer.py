from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.indexer.letters import Letters
from services.indexer.offset_committer import COMMIT_EVERY_S, TRY_AGAIN_S, OffsetCommitter
from tests.unit.services.common.clock import FakeClock

TRADES = ("trades", 0)
ANOMALIES = ("anomalies", 3)
AWAY = KafkaError(KafkaError._TRANSPORT)


class FakeLetters:
    """Has the given number of dead letters that are not yet acknowledged."""

    unsafe = 0

    def are_safe(self, _within_s: float) -> bool:
        return not self.unsafe


class FakeConsumer:
    """Records what it should commit; the test answers."""

    def __init__(self) -> None:
        self.commits: list[list[TopicPartition]] = []
        self.fails_with: KafkaError | None = None

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        if self.fails_with is not None:
            raise KafkaException(self.fails_with)
        self.commits.append(offsets)

    @property
    def last(self) -> dict[tuple[str, int], int]:
        return {(p.topic, p.partition): p.offset for p in self.commits[-1]}


class Bench:
    """A committer with a fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.letters = FakeLetters()
        self.consumer = FakeConsumer()
        self.committer = OffsetCommitter(cast(Letters, self.letters), "Kafka at nowhere", "indexer")

    def poll(self) -> int:
        """Return how many commits were sent so far."""
        self.committer.poll(cast(Consumer, self.consumer))
        return len(self.consumer.commits)

    def answer(self, error: KafkaError | None = None) -> None:
        self.committer.on_commit(error, self.consumer.commits[-1])


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    clock = FakeClock()
    clock.now_s = 1_000.0
    monkeypatch.setattr("services.indexer.offset_committer.time.monotonic", clock)
    return Bench(clock)


def test_what_was_requested_is_committed_and_then_complete(bench: Bench) -> None:
    assert bench.committer.is_complete
    bench.committer.request({TRADES: 10, ANOMALIES: 4})
    assert not bench.committer.is_complete
    assert bench.poll() == 1
    assert bench.consumer.last == {TRADES: 10, ANOMALIES: 4}
    assert not bench.committer.is_complete
    bench.answer()
    assert bench.committer.is_complete
    bench.clock.now_s += 100
    assert bench.poll() == 1  # nothing is left


def test_one_commit_is_in_flight_at_a_time_so_that_none_overtakes_another(bench: Bench) -> None:
    bench.committer.request({TRADES: 10})
    assert bench.poll() == 1
    bench.committer.request({TRADES: 20})
    bench.clock.now_s += 100
    assert bench.poll() == 1
    bench.answer()
    assert not bench.committer.is_complete
    assert bench.poll() == 2
    assert bench.consumer.last == {TRADES: 20}


def test_commits_are_a_while_apart(bench: Bench) -> None:
    bench.committer.request({TRADES: 10})
    bench.poll()
    bench.answer()
    bench.committer.request({TRADES: 20})
    bench.clock.now_s += COMMIT_EVERY_S / 2
    assert bench.poll() == 1
    bench.clock.now_s += COMMIT_EVERY_S
    assert bench.poll() == 2


def test_nothing_is_committed_before_the_dead_letters_are_safe(bench: Bench) -> None:
    bench.letters.unsafe = 1
    bench.committer.request({TRADES: 10})
    assert bench.poll() == 0
    bench.letters.unsafe = 0
    assert bench.poll() == 1


@pytest.mark.parametrize("how", ["at once", "as a whole", "in a partition"])
def test_commit_that_failed_is_repeated_after_a_while(bench: Bench, how: str) -> None:
    bench.committer.request({TRADES: 10})
    if how == "at once":
        bench.consumer.fails_with = AWAY
        bench.poll()
        bench.consumer.fails_with = None
    else:
        bench.poll()
        answered = cast(Any, TopicPartition(*TRADES, 10))
        if how == "in a partition":
            answered = type("Answered", (), {"topic": "trades", "partition": 0, "offset": 10, "error": AWAY})
        bench.committer.on_commit(AWAY if how == "as a whole" else None, [answered])
    before = len(bench.consumer.commits)
    assert bench.poll() == before
    assert not bench.committer.is_complete
    bench.clock.now_s += TRY_AGAIN_S
    assert bench.poll() == before + 1
    bench.answer()
    assert bench.committer.is_complete


def test_partitions_that_were_handed_over_are_not_committed(bench: Bench) -> None:
    bench.committer.request({TRADES: 10, ANOMALIES: 4})
    bench.committer.forget()
    bench.poll()
    assert bench.consumer.commits == []
    assert bench.committer.is_complete


def test_answer_about_a_partition_that_was_handed_away_counts_for_nothing(bench: Bench) -> None:
    bench.committer.request({TRADES: 10})
    bench.poll()
    bench.committer.forget()
    bench.answer()
    # It came back, at the same place: another member may have committed less meanwhile.
    bench.committer.request({TRADES: 10})
    assert not bench.committer.is_complete
