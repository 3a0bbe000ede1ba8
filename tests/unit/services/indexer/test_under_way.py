import threading
from collections.abc import Callable

import pytest
from confluent_kafka import Message

from services.indexer.sinks.elasticsearch.bulk import Refused
from services.indexer.sinks.elasticsearch.documents import Document
from services.indexer.under_way import (
    CONNECTIONS,
    MAX_BATCH_BYTES,
    MAX_BATCH_DOCUMENTS,
    MAX_UNDER_WAY,
    Batch,
    UnderWay,
)

SOON_S = 5.0


def message(offset: int, topic: str = "trades", partition: int = 0) -> Message:
    return Message(topic=topic, partition=partition, offset=offset)


class Elasticsearch:
    """Answers when told to."""

    def __init__(self, *refused: Refused) -> None:
        self.go = threading.Event()
        self._refused = list(refused)

    def send(self, _documents: list[Document], is_wanted: Callable[[], bool]) -> list[Refused]:
        assert self.go.wait(SOON_S)
        self.was_wanted = is_wanted()
        return self._refused


def document(number: int, source: bytes | None = b"{}") -> Document:
    return b"%d" % number, source


def batch(*numbers: int) -> Batch:
    made = Batch()
    for number in numbers:
        assert made.add(message(number), document(number))
    return made


def wait_for_oldest(under_way: UnderWay) -> None:
    under_way.wait(SOON_S)
    assert under_way.oldest_is_done


def test_batch_takes_a_target_once() -> None:
    made = batch(1)
    assert made.add(message(2), document(2))
    assert not made.add(message(3), document(1))
    assert not made.add(message(3), document(1, source=None))
    assert [one.offset() for one in made.messages] == [1, 2]


def test_batch_takes_no_more_than_its_documents_and_bytes() -> None:
    assert not batch(*range(MAX_BATCH_DOCUMENTS)).add(message(0), document(-1))
    large = document(2, b"x" * (MAX_BATCH_BYTES + 1))
    assert batch().add(message(2), large)  # alone, for else it could never go
    assert not batch(1).add(message(2), large)


def test_batch_is_due_when_full_or_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("services.indexer.under_way.time.monotonic", lambda: now_s)
    made = batch(1)
    assert not made.is_due
    now_s += 0.5
    assert made.is_due
    assert not batch().is_due
    assert batch(*range(MAX_BATCH_DOCUMENTS)).is_due


def test_offsets_are_behind_the_last_message_of_each_partition() -> None:
    made = Batch()
    for one in (message(7), message(3, partition=1), message(9)):
        assert made.add(one, document(one.offset()))
    assert made.offsets == {("trades", 0): 10, ("trades", 1): 4}


def test_batch_about_a_target_that_is_under_way_waits() -> None:
    server = Elasticsearch()
    under_way = UnderWay(server.send)
    under_way.send(batch(1, 2), {})
    assert under_way.takes(batch(3, 4))
    assert not under_way.takes(batch(2, 3))
    server.go.set()
    wait_for_oldest(under_way)
    assert not under_way.takes(batch(2, 3))  # until it is taken out
    under_way.take_oldest()
    assert under_way.takes(batch(2, 3))


def test_no_more_batches_go_than_there_are_connections() -> None:
    server = Elasticsearch()
    under_way = UnderWay(server.send)
    for number in range(CONNECTIONS):
        assert under_way.takes(batch(number))
        under_way.send(batch(number), {})
    assert not under_way.takes(batch(99))
    server.go.set()


def test_batches_pass_one_that_is_slow_but_not_for_ever() -> None:
    slow, quick = Elasticsearch(), Elasticsearch()
    quick.go.set()
    servers = iter([slow] + [quick] * MAX_UNDER_WAY)
    under_way = UnderWay(lambda documents, is_wanted: next(servers).send(documents, is_wanted))
    for number in range(MAX_UNDER_WAY):
        assert under_way.takes(batch(number))
        under_way.send(batch(number), {})
        if number:
            under_way.wait(SOON_S)
    assert not under_way.takes(batch(99))
    slow.go.set()
    wait_for_oldest(under_way)
    for _ in range(MAX_UNDER_WAY):
        assert under_way.oldest_is_done
        assert under_way.take_oldest() is not None
    assert under_way.takes(batch(99))


def test_what_arrived_is_counted_without_what_was_refused() -> None:
    server = Elasticsearch(Refused(1, "why"), Refused(4, "why not"))
    server.go.set()
    under_way = UnderWay(server.send)
    made = batch(0, 1)
    assert made.add(message(2, "anomalies"), document(2))
    assert made.add(message(3, "anomalies"), document(3, source=None))
    assert made.add(message(4, "anomalies"), document(4, source=None))
    under_way.send(made, {("trades", 0): 2})
    wait_for_oldest(under_way)
    arrived = under_way.take_oldest()
    assert [(one.offset(), error) for one, error in arrived.refused] == [(1, "why"), (4, "why not")]
    assert arrived.indexed == {"trades": 1, "anomalies": 1}
    assert arrived.retractions == 1
    assert arrived.offsets == {("trades", 0): 2}


def test_disowned_batch_is_waited_for_but_neither_sent_again_nor_committed() -> None:
    server = Elasticsearch(Refused(0, "why"))
    under_way = UnderWay(server.send)
    under_way.send(batch(1), {("trades", 0): 2})
    under_way.disown()
    assert not under_way.has_ours
    assert not under_way.takes(batch(1))
    server.go.set()
    wait_for_oldest(under_way)
    assert not server.was_wanted
    assert under_way.take_oldest() is None
