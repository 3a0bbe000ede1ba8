"""The indexer with a store that keeps the offsets: each record is stored once, whatever the group does."""

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from hypothesis import given, settings

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.consumer_loop import State
from services.common.kafka.end_offsets import Partition
from services.common.kafka.offsets import Start
from services.common.kafka.records import Record
from services.contracts.components import INDEXER
from services.indexer.keeping import in_store
from services.indexer.runner import Runner
from services.indexer.sinks.base import Entry, NotNowError, Rejected, RejectedRecordError, TransactionalSink
from tests.unit.services.indexer.test_runner import EVENTS, LOG, MESSAGES, PLACES, SOON_S, Bench

REFUSED_AT = 17
"""The store itself refuses this record of each partition."""


class Store:
    """What outlives a process; each change is one transaction."""

    def __init__(self) -> None:
        self.stored: dict[Partition, list[bytes]] = {place: [] for place in PLACES}
        self.offsets: dict[Partition, int] = {}
        self.owners: dict[Partition, str] = {}
        self.lock = threading.Lock()


class StoreSink(TransactionalSink):
    title = "the store"

    def __init__(self, _settings: Settings, _stop: object) -> None:
        self.store = Store()
        self.owner = ""
        self.is_away = False
        self.go = threading.Event()
        self.go.set()

    def prepare(self, record: Record, /) -> Entry:
        value = record.value() or b""
        if value == b"poison":
            raise RejectedRecordError("poison")
        return f"{record.topic()}/{record.partition()}/{record.offset()}".encode(), value

    def claim(
        self, partitions: Sequence[Partition], _kafka: KafkaConnection
    ) -> Mapping[Partition, int | None]:
        if self.is_away:
            raise NotNowError("away")
        self.owner = uuid.uuid4().hex
        with self.store.lock:
            self.store.owners |= dict.fromkeys(partitions, self.owner)
            return {partition: self.store.offsets.get(partition) for partition in partitions}

    def write(
        self,
        records: Sequence[Record],
        entries: Sequence[Entry],
        offsets: Mapping[Partition, int],
        is_wanted: Callable[[], bool],
        publish: Callable[[list[Rejected]], bool],
    ) -> list[Rejected]:
        owner = self.owner
        if not is_wanted():
            return []
        assert self.go.wait(SOON_S)
        refused = [
            Rejected(at, "refused") for at, record in enumerate(records) if record.offset() == REFUSED_AT
        ]
        if not publish(refused):
            return []
        without = {one.at for one in refused}
        with self.store.lock:
            if any(self.store.owners[partition] != owner for partition in offsets):
                while is_wanted():
                    pass
                return []
            for at, (record, (_, value)) in enumerate(zip(records, entries, strict=True)):
                if at not in without:
                    self.store.stored[record.topic(), record.partition()].append(value or b"")
            for partition, offset in offsets.items():
                assert offset >= self.store.offsets.get(partition, 0), "offsets never go back"
            self.store.offsets |= offsets
        return refused


class StoreBench(Bench):
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = Store()
        self.end = MESSAGES
        monkeypatch.setattr(in_store, "starts_at", self._starts_at)
        super().__init__(monkeypatch)

    def start(self) -> None:
        self.store_sink = StoreSink(Settings(), self.stop)
        self.store_sink.store = self.store
        self.runner = Runner(Settings(), INDEXER, self.store_sink, self.stop, self.health)

    def _check(self, place: tuple[str, int], offset: int) -> None:
        assert offset <= self.store.offsets[place], "Kafka never has more than the store"

    def _starts_at(self, _consumer: object, places: list[TopicPartition]) -> list[Start]:
        return [Start(p.topic, p.partition, p.offset, 0, self.end) for p in places]


@settings(deadline=None)
@given(EVENTS)
def test_every_record_is_stored_once_in_its_order(events: list[tuple[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        bench = StoreBench(monkeypatch)
        for event, detail in events:
            if event == "gives":
                bench.gives(sorted(detail))
            elif event == "flows":
                (topic, number), count = detail
                bench.client.flows(number, count, topic)
            elif event == "restart":  # the old process goes on as a zombie
                bench.runner._forget()
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
        while bench.runner._turn() or bench.store.offsets != dict.fromkeys(PLACES, MESSAGES):
            pass
    for place, values in bench.store.stored.items():
        wanted = [v for at, v in enumerate(LOG[place]) if v != b"poison" and at != REFUSED_AT]
        assert values == wanted
    letters = {
        (one["headers"]["topic"], int(one["headers"]["partition"]), one["headers"]["error"])
        for one in bench.producer.letters
    }
    assert letters == {(*place, why) for place in PLACES for why in ("poison", "refused")}


def state(bench: Bench) -> State:
    return bench.runner._loop.state


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> StoreBench:
    return StoreBench(monkeypatch)


def test_a_rejected_record_at_the_end_moves_the_stored_offset(bench: StoreBench) -> None:
    bench.gives(PLACES[:1])
    bench.runner._turn()
    bench.runner._turn()
    bench.client.flows(PLACES[0][1], 11, PLACES[0][0])  # up to just before the poison
    while bench.store.offsets.get(PLACES[0]) != 11:
        bench.runner._turn()
    bench.client.flows(PLACES[0][1], 1, PLACES[0][0])
    for _ in range(50):
        bench.runner._turn()
        if bench.store.offsets[PLACES[0]] > 11:
            break
    assert len(bench.producer.letters) == 1
    assert bench.store.offsets[PLACES[0]] == 12


def test_a_store_that_is_away_is_waited_for_in_the_group(bench: StoreBench) -> None:
    bench.store_sink.is_away = True
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    assert state(bench) is State.RESTORING
    assert not bench.health.ready
    bench.client.loses()  # heard although the store is away
    bench.runner._turn()
    assert state(bench) is State.UNASSIGNED
    bench.store_sink.is_away = False
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()
    assert bench.health.ready


def test_an_offset_beyond_the_topics_end_stops_the_indexer(
    bench: StoreBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.store.offsets[PLACES[0]] = MESSAGES + 1
    bench.gives(PLACES)
    bench.runner._turn()
    bench.runner._turn()  # at first the broker may not know better
    assert bench.runner._loop.state is State.RESTORING
    monkeypatch.setattr(in_store, "BEYOND_THE_END_S", 0.0)
    with pytest.raises(TapewatchError, match="up to offset 31, but the topic ends at 30"):
        bench.runner._turn()


def test_letters_are_safe_before_the_offset_is_stored(
    bench: StoreBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsafe = [3]
    monkeypatch.setattr(bench.producer, "flush", lambda _timeout_s: max(0, unsafe[0]))
    bench.gives(PLACES[:1])
    bench.runner._turn()
    bench.runner._turn()
    bench.client.flows(PLACES[0][1], MESSAGES, PLACES[0][0])
    for _ in range(20):
        bench.runner._turn()
    assert bench.store.offsets == {}
    bench.client.loses()  # what waits for Kafka is given up, and the indexer goes on
    bench.gives(PLACES[:1])
    for _ in range(20):
        bench.runner._turn()
    assert bench.store.offsets == {}
    unsafe[0] = 0
    bench.client.flows(PLACES[0][1], MESSAGES, PLACES[0][0])
    while bench.store.offsets.get(PLACES[0]) != MESSAGES:
        bench.runner._turn()
