"""Transactions whose client fails."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka import transactions
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.transactions import (
    MAX_FENCINGS,
    MAX_FENCINGS_PAUSED,
    TransactionAbortedError,
    Transactions,
)
from services.common.process.shutdown import Stop

OFFSETS = [TopicPartition("trades", 0, 1)]


class FailingProducer:
    """A client whose broker rejects offsets, as after its restart."""

    def __init__(self, *_: object, **__: object) -> None:
        made.append(weakref.ref(self))

    def list_topics(self, timeout: float) -> None:
        pass

    def init_transactions(self, _: float) -> None:
        pass

    def begin_transaction(self) -> None:
        pass

    def send_offsets_to_transaction(self, *_: object) -> None:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))

    def abort_transaction(self, _: float) -> None:
        raise KafkaException(KafkaError(KafkaError._STATE))


made: list[weakref.ref[FailingProducer]] = []


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
def test_a_client_that_failed_is_freed_when_the_next_one_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "new_producer", FailingProducer)
    made.clear()
    opened = Transactions(KafkaConnection("127.0.0.1:1"), "of-a-test", Stop(), lambda: None)
    for _ in range(3):
        opened.begin()
        with pytest.raises(TransactionAbortedError):
            opened.commit(OFFSETS, object())
        opened.open()
    *left, current = made
    assert len(left) == 3
    assert [client() for client in left] == [None] * 3
    assert current() is not None


@pytest.mark.parametrize(
    ("paused_after_s", "fencings"),
    [(60.0, MAX_FENCINGS), (-1.0, MAX_FENCINGS_PAUSED)],
    ids=["at work", "paused"],
)
def test_a_client_that_is_fenced_again_and_again_gives_up_and_sooner_after_a_pause(
    paused_after_s: float, fencings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "new_producer", FailingProducer)
    monkeypatch.setattr(transactions, "PAUSED_AFTER_S", paused_after_s)
    opened = Transactions(KafkaConnection("127.0.0.1:1"), "of-a-test", Stop(), lambda: None)
    for number in range(fencings):
        with pytest.raises(TransactionAbortedError):  # as producing a message says it, after the fencing
            opened.fail(KafkaException(KafkaError(KafkaError._FATAL)))
        if number < fencings - 1:
            opened.open()
    with pytest.raises(TapewatchError, match="Another process uses the transactional id of-a-test"):
        opened.open()
