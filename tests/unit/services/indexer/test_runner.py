"""The indexer without servers: a sink in memory, and a group that rebalances at random."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.config.settings import Settings
from services.common.kafka import consumer_loop
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.consumer_loop import State
from services.common.kafka.offsets import Start
from services.common.kafka.records import Record
from services.common.observability.health import Health
from services.contracts.components import INDEXER
from services.indexer import batch, offset_committer, runner
from services.indexer.keeping import in_kafka
from services.indexer.runner import Runner
from services.indexer.sinks.base import Entry, IdempotentSink, Rejected, RejectedRecordError
from tests.stops import AskedFor
from tests.unit.services.common.kafka.fake_consumer import FakeConsumer, FakeMessage

MESSAGES, TARGETS = 30, 7
POISON_AT = 11
SOON_S = 10.0
PLACES = [(topic, number) for topic in ("trades", "anomalies") for number in (0, 1)]


def content(place: tuple[str, int], at: int) -> bytes:
    """Return a version of a document; a partition's messages are about a few documents."""
    return f"{place[0]}-{place[1]}-{at % TARGETS}:{at}".encode() if at != POISON_AT else b"poison"


LOG = {place: [content(place, at) for at in range(MESSAGES)] for place in PLACES}
EXPECTED = {value.split(b":")[0]: value for values in LOG.values() for value in values if value != b"poison"}


class MemorySink(IdempotentSink):
    title = "memory"
    connections = 2

    def __init__(self, _settings: Settings, _stop: object) -> None:
        self.documents: dict[bytes, bytes | None] = {}
        self.written: set[bytes] = set()
        self.go = threading.Event()
        self.go.set()

    def prepare(self, record: Record, /) -> Entry:
        value = record.value() or b""
        if value == b"poison":
            raise RejectedRecordError("poison")
        return value.split(b":")[0], value

    def write(self, entries: list[Entry], _is_wanted: Callable[[], bool]) -> list[Rejected]:
        assert self.go.wait(SOON_S)
        for target, value in entries:
            self.documents[target] = value
            self.written.add(value or b"")
        return []


class FakeProducer:
    def __init__(self) -> None:
        self.letters: list[dict[str, Any]] = []

        self.room = 1_000
        """How many letters fit into its queue until it is polled."""

    def produce(self, _topic: str, **letter: Any) -> None:
        if not self.room:
            raise BufferError("Local: Queue full")
        self.room -= 1
        self.letters.append(letter)

    def poll(self, _timeout_s: float) -> int:
        self.room = 1
        return 1

    def flush(self, _timeout_s: float) -> int:
        return 0


class Bench:
    """A runner on fakes; each commit is checked against what the sink has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.committed: dict[tuple[str, int], int] = {}
        self.clients: list[FakeConsumer] = []
        self.producer = FakeProducer()
        self.health = Health()
        self.stop = AskedFor()
        monkeypatch.setattr(consumer_loop, "new_consumer", self._new_client)
        monkeypatch.setattr(consumer_loop, "new_admin", lambda _: None)
        monkeypatch.setattr(runner, "new_producer", lambda *_, **__: self.producer)
        monkeypatch.setattr(runner, "claim_instance", lambda *_: "test")
        monkeypatch.setattr(in_kafka, "find_starts", self._starts)
        monkeypatch.setattr(batch, "FLUSH_AFTER_S", 0.0)
        monkeypatch.setattr(offset_committer, "COMMIT_EVERY_S", 0.0)
        self.start()

    def start(self) -> None:
        """Start a new process; the previous one's uncommitted work is lost."""
        self.sink = MemorySink(Settings(), self.stop)
        self.sink.documents |= getattr(self, "documents", {})
        self.documents = self.sink.documents
        self.runner = Runner(Settings(), INDEXER, self.sink, self.stop, self.health)

    @property
    def client(self) -> FakeConsumer:
        return self.clients[-1]

    def _new_client(self, _kafka: KafkaConnection, _group: str, **config: Any) -> FakeConsumer:
        client = FakeConsumer(log=LOG, config=config)
        commit = client.commit

        def checked(offsets: list[TopicPartition], asynchronous: bool) -> None:
            for place in offsets:
                self._check((place.topic, place.partition), place.offset)
            commit(offsets, asynchronous)

        client.commit = checked  # type: ignore[method-assign]
        self.clients.append(client)
        return client

    def _check(self, place: tuple[str, int], offset: int) -> None:
        assert place in {(p.topic, p.partition) for p in self.client.owned}
        assert offset >= self.committed.get(place, 0)
        for value in LOG[place][self.committed.get(place, 0) : offset]:
            assert value in self.sink.written or value == b"poison", "nothing is committed before it is safe"
        self.committed[place] = offset

    def _starts(self, _consumer: object, places: list[TopicPartition]) -> list[Start]:
        return [
            Start(p.topic, p.partition, self.committed.get((p.topic, p.partition), -1001), 0, MESSAGES)
            for p in places
        ]

    def gives(self, places: list[tuple[str, int]]) -> None:
        given = [TopicPartition(*place) for place in places]
        self.client.takes()
        self.client._events.append(lambda: self.client._give(given))


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("gives"), st.sets(st.sampled_from(PLACES), min_size=1)),
        st.tuples(st.just("flows"), st.tuples(st.sampled_from(PLACES), st.integers(1, 12))),
        st.tuples(st.sampled_from(["takes", "loses", "restart", "turn"]), st.none()),
        st.tuples(st.just("turn"), st.none()),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(EVENTS)
def test_every_document_has_its_last_version_and_nothing_is_committed_before_it_is_written(
    events: list[tuple[str, Any]],
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        bench = Bench(monkeypatch)
        for event, detail in events:
            if event == "gives":
                bench.gives(sorted(detail))
            elif event == "flows":
                (topic, number), count = detail
                bench.client.flows(number, count, topic)
            elif event == "restart":
                while bench.runner._in_flight:  # what a killed process had sent still arrives
                    bench.runner._in_flight.wait(0.01)
                    bench.runner._in_flight.take_oldest() if bench.runner._in_flight.oldest_is_done else None
                bench.start()
            elif event == "turn":
                bench.runner._turn()
            else:
                getattr(bench.client, event)()
        bench.gives(PLACES)
        for _ in range(4):
            bench.runner._turn()
        for topic, number in PLACES:
            bench.client.flows(number, MESSAGES, topic)
        while bench.runner._turn() or bench.committed != dict.fromkeys(PLACES, MESSAGES):
            pass
    assert bench.documents == EXPECTED
    origins = {
        (letter["headers"]["topic"], int(letter["headers"]["partition"])) for letter in bench.producer.letters
    }
    assert origins == set(PLACES)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_partitions_are_ready_when_they_are_read_and_not_after_they_were_lost(bench: Bench) -> None:
    bench.runner._turn()
    assert not bench.health.ready
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    assert bench.health.ready
    bench.client.loses()
    bench.runner._turn()
    assert bench.health.why_not_ready() == "partitions"
    assert bench.runner._loop.state is State.UNASSIGNED


def test_a_sink_that_owes_an_answer_for_long_is_not_ready_although_nothing_waits_behind_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "SILENT_S", 1e-9)
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    bench.sink.go.clear()
    bench.client.flows(0, 3)
    bench.runner._turn()
    assert bench.health.why_not_ready() == "waiting for memory"
    bench.sink.go.set()
    while bench.runner._in_flight:
        bench.runner._turn()
    bench.runner._turn()
    assert bench.health.ready


def test_letter_waits_while_the_queue_of_the_client_is_full(bench: Bench) -> None:
    bench.producer.room = 0
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    for topic, number in PLACES:
        bench.client.flows(number, MESSAGES, topic)
    for _ in range(4):
        bench.runner._turn()
    origins = {(one["headers"]["topic"], one["headers"]["partition"]) for one in bench.producer.letters}
    assert len(bench.producer.letters) == len(origins) == len(PLACES)


def delivered(bench: Bench, at: int) -> None:
    """Have the runner read one message."""
    bench.client.delivers(FakeMessage(("trades", 0), at, content(("trades", 0), at)))
    bench.runner._turn()


def test_what_was_lost_is_not_committed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    monkeypatch.setattr(batch, "FLUSH_AFTER_S", 3_600.0)
    bench.sink.go.clear()
    for at in range(3):  # the first one is in flight, the others wait for it
        delivered(bench, at)
    bench.client.loses()
    bench.runner._turn()
    bench.sink.go.set()
    bench.runner._stay_until(lambda: not bench.runner._in_flight)
    for _ in range(3):
        bench.runner._turn()
    assert bench.committed == {}
    assert bench.sink.written == {content(("trades", 0), 0)}


def test_partial_batch_goes_at_once_if_none_is_in_flight_and_else_when_that_is_answered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    monkeypatch.setattr(batch, "FLUSH_AFTER_S", 3_600.0)
    bench.sink.go.clear()
    for at in range(3):
        delivered(bench, at)
    assert bench.runner._in_flight.count() == {"trades": 1}
    bench.sink.go.set()
    bench.runner._in_flight.wait(SOON_S)
    bench.runner._turn()
    bench.runner._stay_until(lambda: not bench.runner._in_flight)
    assert bench.sink.written == {content(("trades", 0), at) for at in range(3)}


def test_partial_batch_waits_for_more_while_reads_find_much(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    monkeypatch.setattr(batch, "FLUSH_AFTER_S", 3_600.0)
    monkeypatch.setattr(runner, "LOADED_RECORDS", 2)
    bench.client.delivers(*(FakeMessage(("trades", 0), at, content(("trades", 0), at)) for at in range(2)))
    bench.runner._turn()
    assert not bench.runner._in_flight
    delivered(bench, 2)
    bench.runner._stay_until(lambda: not bench.runner._in_flight)
    assert bench.sink.written == {content(("trades", 0), at) for at in range(3)}


def test_partial_batch_does_not_wait_for_ever_for_the_one_in_flight(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    monkeypatch.setattr(batch, "FLUSH_AFTER_S", 1e-9)
    bench.sink.go.clear()
    for at in range(2):
        delivered(bench, at)
    assert bench.runner._in_flight.count() == {"trades": 2}
    bench.sink.go.set()


def test_answer_to_a_client_that_was_left_does_not_hold_up_the_next_ones_commits(bench: Bench) -> None:
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    bench.client.flows(0, MESSAGES)
    bench.client._answer = lambda _: []  # type: ignore[assignment,method-assign]
    while not bench.committed:
        bench.runner._turn()
    bench.client.loses()
    bench.runner._turn()
    bench.runner._loop._join()  # as the watch does
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    bench.client.flows(1, MESSAGES)
    for _ in range(1_000):
        if bench.committed.get(("trades", 1)) == MESSAGES:
            break
        bench.runner._turn()
    assert bench.committed["trades", 1] == MESSAGES


@pytest.mark.parametrize("when", ["in flight", "acknowledged"])
def test_what_is_not_committed_when_the_partitions_are_lost_never_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    send = offset_committer.OffsetCommitter.send
    monkeypatch.setattr(offset_committer.OffsetCommitter, "send", lambda *_: None)
    if when == "in flight":
        bench.sink.go.clear()
    bench.client.delivers(*(FakeMessage(("trades", 0), at, content(("trades", 0), at)) for at in range(3)))
    bench.runner._turn()
    if when == "acknowledged":
        bench.runner._stay_until(lambda: not bench.runner._in_flight)
    bench.client.loses()
    bench.runner._turn()
    bench.sink.go.set()
    monkeypatch.setattr(offset_committer.OffsetCommitter, "send", send)
    bench.runner._stay_until(lambda: not bench.runner._in_flight)
    bench.runner._turn()
    assert bench.sink.written
    assert bench.committed == {}
