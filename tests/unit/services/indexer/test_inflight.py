import threading
from collections.abc import Callable
from typing import cast

from services.common.kafka.records import Record
from services.indexer.inflight import InFlight
from services.indexer.keeping.in_kafka import KeptInKafka
from services.indexer.letters import Letters
from services.indexer.sinks.base import Entry, IdempotentSink, Rejected
from tests.narrow import present
from tests.unit.services.indexer.entries import batch, entry, message

CONNECTIONS = 4
MAX_IN_FLIGHT = 2 * CONNECTIONS
SOON_S = 5.0


class AnsweringSink(IdempotentSink):
    """A sink that answers on request."""

    connections = CONNECTIONS

    def __init__(self, *rejected: Rejected) -> None:
        self.go = threading.Event()
        self.was_wanted: bool | None = None
        self._rejected = list(rejected)

    def prepare(self, _record: Record, /) -> Entry:
        raise AssertionError("batches are made by hand here")

    def write(self, _entries: list[Entry], is_wanted: Callable[[], bool]) -> list[Rejected]:
        assert self.go.wait(SOON_S)
        self.was_wanted = is_wanted()
        return self._rejected


class SinkInTurns(AnsweringSink):
    """Passes each batch to the next of several sinks."""

    def __init__(self, sinks: list[AnsweringSink]) -> None:
        self._sinks = iter(sinks)

    def write(self, entries: list[Entry], is_wanted: Callable[[], bool]) -> list[Rejected]:
        return next(self._sinks).write(entries, is_wanted)


def writing_to(sink: IdempotentSink) -> InFlight:
    return InFlight(KeptInKafka(sink, cast(Letters, None)), sink.connections)


def wait_for_oldest(in_flight: InFlight) -> None:
    in_flight.wait(SOON_S)
    assert in_flight.oldest_is_done


def test_batch_about_a_target_that_is_in_flight_waits() -> None:
    sink = AnsweringSink()
    in_flight = writing_to(sink)
    in_flight.send(batch(1, 2), {})
    assert in_flight.accepts(batch(3, 4))
    assert not in_flight.accepts(batch(2, 3))
    sink.go.set()
    wait_for_oldest(in_flight)
    assert not in_flight.accepts(batch(2, 3))  # until it is taken out
    in_flight.take_oldest()
    assert in_flight.accepts(batch(2, 3))


def test_no_more_batches_go_than_there_are_connections() -> None:
    sink = AnsweringSink()
    in_flight = writing_to(sink)
    for number in range(CONNECTIONS):
        assert in_flight.accepts(batch(number))
        in_flight.send(batch(number), {})
    assert not in_flight.accepts(batch(99))
    sink.go.set()


def test_batches_pass_one_that_is_slow_but_not_for_ever() -> None:
    slow, quick = AnsweringSink(), AnsweringSink()
    quick.go.set()
    in_flight = writing_to(SinkInTurns([slow] + [quick] * MAX_IN_FLIGHT))
    for number in range(MAX_IN_FLIGHT):
        assert in_flight.accepts(batch(number))
        in_flight.send(batch(number), {})
        if number:
            in_flight.wait(SOON_S)
    assert not in_flight.accepts(batch(99))
    slow.go.set()
    wait_for_oldest(in_flight)
    for _ in range(MAX_IN_FLIGHT):
        assert in_flight.oldest_is_done
        assert in_flight.take_oldest() is not None
    assert in_flight.accepts(batch(99))


def test_what_was_acknowledged_is_counted_without_what_was_rejected() -> None:
    sink = AnsweringSink(Rejected(1, "why"), Rejected(4, "why not"))
    sink.go.set()
    in_flight = writing_to(sink)
    made = batch(0, 1)
    assert made.add(message(2, "anomalies"), entry(2))
    assert made.add(message(3, "anomalies"), entry(3, content=None))
    assert made.add(message(4, "anomalies"), entry(4, content=None))
    in_flight.send(made, {("trades", 0): 2})
    wait_for_oldest(in_flight)
    acknowledged = present(in_flight.take_oldest())
    assert [(one.offset(), reason) for one, reason in acknowledged.rejected] == [(1, "why"), (4, "why not")]
    assert acknowledged.written == {"trades": 1, "anomalies": 1}
    assert acknowledged.removed == 1
    assert acknowledged.offsets == {("trades", 0): 2}


def test_abandoned_batch_is_waited_for_but_neither_sent_again_nor_committed() -> None:
    sink = AnsweringSink(Rejected(0, "why"))
    in_flight = writing_to(sink)
    in_flight.send(batch(1), {("trades", 0): 2})
    in_flight.abandon()
    assert not in_flight.has_owned
    assert not in_flight.accepts(batch(1))
    sink.go.set()
    wait_for_oldest(in_flight)
    assert not sink.was_wanted
    assert in_flight.take_oldest() is None
