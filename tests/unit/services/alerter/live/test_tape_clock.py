from concurrent.futures import Future

import pytest
from confluent_kafka import KafkaError, KafkaException

from services.alerter.live import tape_clock
from services.alerter.live.tape_clock import TapeClocks, Waiting
from services.common.config.settings import Settings
from services.common.kafka.connection import kafka_connection

BOTH = [0, 1]


class Broker:
    """What is asked of the broker, answered when a test says so."""

    def __init__(self) -> None:
        self.questions: list[Future[dict[int, Waiting]]] = []

    def in_background(self, _call: object, _numbers: list[int]) -> Future[dict[int, Waiting]]:
        self.questions.append(Future())
        return self.questions[-1]

    def answer(self, **waiting: tuple[int, int]) -> None:
        """Answer the question in flight; `p0=(clock, end)`."""
        self.questions[-1].set_result({int(name[1:]): Waiting(*one) for name, one in waiting.items()})


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    found = Broker()
    monkeypatch.setattr(tape_clock, "in_background", found.in_background)
    monkeypatch.setattr(tape_clock, "ASK_EVERY_S", 0.0)
    return found


@pytest.fixture
def clocks(broker: Broker) -> TapeClocks:
    made = TapeClocks(kafka_connection(Settings()))
    assert made.due(BOTH, {}) == {}
    assert len(broker.questions) == 1
    return made


def read(**offsets: int) -> dict[tuple[str, int], int]:
    return {("anomalies", int(name[1:])): offset for name, offset in offsets.items()}


def test_a_clock_is_told_once_all_that_was_published_before_it_has_been_taken(
    broker: Broker, clocks: TapeClocks
) -> None:
    broker.answer(p0=(70, 5), p1=(80, 0))
    assert clocks.due(BOTH, read(p0=4)) == {}
    assert clocks.due(BOTH, read(p0=4, p1=0)) == {1: 80}
    assert clocks.due(BOTH, read(p0=5, p1=0)) == {0: 70}
    assert clocks.due(BOTH, read(p0=6, p1=0)) == {}


def test_one_that_waits_is_not_put_off_by_a_later_one(broker: Broker, clocks: TapeClocks) -> None:
    broker.answer(p0=(70, 5))
    assert clocks.due(BOTH, read(p0=3)) == {}
    broker.answer(p0=(90, 9))
    assert clocks.due(BOTH, read(p0=5)) == {0: 70}
    broker.answer(p0=(90, 9))
    assert clocks.due(BOTH, read(p0=9)) == {0: 90}


def test_a_clock_that_stands_still_is_told_again(broker: Broker, clocks: TapeClocks) -> None:
    for end in (5, 9):  # in between an anomaly may have come of a symbol that is far behind it
        broker.answer(p0=(70, end))
        assert clocks.due(BOTH, read(p0=end)) == {0: 70}


def test_after_a_reset_clocks_from_before_it_are_not_told(broker: Broker, clocks: TapeClocks) -> None:
    broker.answer(p0=(70, 5), p1=(80, 5))
    assert clocks.due(BOTH, read(p0=3, p1=3)) == {}
    clocks.forget(0)
    broker.answer(p0=(70, 5), p1=(80, 5))
    assert clocks.due(BOTH, read(p0=7, p1=5)) == {1: 80}
    broker.answer(p0=(20, 7))
    assert clocks.due(BOTH, read(p0=7, p1=5)) == {0: 20}


def test_partitions_that_were_given_up_are_asked_for_again(broker: Broker, clocks: TapeClocks) -> None:
    clocks.forget_all()
    broker.answer(p0=(70, 0))
    assert clocks.due([1], read(p0=0, p1=0)) == {}
    broker.answer(p1=(80, 0))
    assert clocks.due([1], read(p1=0)) == {1: 80}
    clocks.forget_all()
    broker.answer(p1=(80, 0))
    assert clocks.due([1], read(p1=0)) == {}
    broker.answer(p1=(80, 0))
    assert clocks.due([1], read(p1=0)) == {1: 80}


def test_a_broker_that_is_away_is_asked_again(broker: Broker, clocks: TapeClocks) -> None:
    broker.questions[-1].set_exception(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
    assert clocks.due(BOTH, read(p0=0)) == {}
    assert len(broker.questions) == 2
    broker.answer(p0=(70, 0))
    assert clocks.due(BOTH, read(p0=0)) == {0: 70}


def test_a_mistake_of_ours_is_not_taken_for_an_absence(broker: Broker, clocks: TapeClocks) -> None:
    broker.questions[-1].set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        clocks.due(BOTH, {})
