from typing import Any, NoReturn, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from services.common.kafka.records import Record
from services.common.kafka.transactions import TransactionAbortedError, Transactions
from services.contracts.trade import decode_trade
from services.detector.engine.engine import Engine
from services.detector.live.outbox import DetectorOutbox
from services.detector.live.partition import Detected, Judged, Origin
from tests.samples import trade_json
from tests.unit.services.detector.engine.test_engine import EVERYTHING, tape

FENCE = [TopicPartition("trades", 0, 7)]


class FakeProducer:
    def __init__(self) -> None:
        self.produced: list[tuple[str, dict[str, Any]]] = []
        self.is_full = False

    def produce(self, topic: str, **message: Any) -> None:
        if self.is_full:
            raise KafkaException(KafkaError(KafkaError._QUEUE_FULL))
        self.produced.append((topic, message))


class FakeTransactions:
    def __init__(self) -> None:
        self.producer = FakeProducer()
        self.calls: list[object] = []

    def begin(self) -> None:
        self.calls.append("begin")

    def commit(self, offsets: object, group: object) -> None:
        self.calls.append(("commit", offsets, group))

    def abort(self, reason: str) -> NoReturn:
        self.calls.append("abort")
        raise TransactionAbortedError(reason, fenced=False)

    def fail(self, cause: KafkaException) -> NoReturn:
        self.calls.append("fail")
        raise TransactionAbortedError(str(cause), fenced=False)

    def open(self) -> None:
        self.calls.append("open")


@pytest.fixture
def transactions() -> FakeTransactions:
    return FakeTransactions()


@pytest.fixture
def outbox(transactions: FakeTransactions) -> DetectorOutbox:
    return DetectorOutbox(cast("Transactions", transactions))


def record(offset: int, value: bytes) -> Record:
    message: Message = Message(topic="trades", partition=4, offset=offset, key=b"NVDA", value=value)
    return cast("Record", message)


def test_transaction_begins_once_and_ends_with_its_commit(
    outbox: DetectorOutbox, transactions: FakeTransactions
) -> None:
    outbox.begin()
    outbox.begin()
    assert outbox.open_since_s is not None
    outbox.commit(FENCE, "membership")
    assert outbox.open_since_s is None
    outbox.begin()
    assert transactions.calls == ["begin", ("commit", FENCE, "membership"), "begin"]


def test_lost_partitions_abort_only_a_transaction_that_is_open(
    outbox: DetectorOutbox, transactions: FakeTransactions
) -> None:
    outbox.abort("lost")
    assert transactions.calls == []
    outbox.begin()
    with pytest.raises(TransactionAbortedError, match="lost"):
        outbox.abort("lost")
    outbox.discard()
    outbox.abort("lost")
    assert transactions.calls == ["begin", "abort"]


def test_rejected_trade_becomes_a_dead_letter_and_an_anomaly_goes_to_the_partition_of_its_trade(
    outbox: DetectorOutbox, transactions: FakeTransactions
) -> None:
    values = tape(150, "NVDA")
    engine = Engine(EVERYTHING)
    found = Detected()
    found.anomalies = [
        Judged(Origin(at, b"NVDA", values[at], 17), anomaly, 5, 6, is_again=at % 2 == 0)
        for at, anomaly, _ in engine.detect([decode_trade(v) for v in values])
    ]
    assert found.anomalies
    found.rejected = [(record(9, b"no trade"), "no JSON")]
    outbox.publish(4, found)
    *anomalies, (topic, letter) = transactions.producer.produced
    assert [(topic, m["partition"], m["key"]) for topic, m in anomalies] == [("anomalies", 4, b"NVDA")] * len(
        found.anomalies
    )
    assert [m["headers"] for _, m in anomalies] == [
        {"trade_offset": str(one.origin.offset), "tape_clock": "5", "brought_at": "6", "trade_time": "17"}
        | ({"judged_again": "1"} if one.is_again else {})
        for one in found.anomalies
    ]
    assert topic == "dead-letters"
    assert letter["value"] == b"no trade"


def test_anomaly_is_left_out_if_only_the_decoder_accepts_the_json(
    outbox: DetectorOutbox, transactions: FakeTransactions
) -> None:
    values = tape(150, "NVDA")
    flagged = [a for _, a, _ in Engine(EVERYTHING).detect([decode_trade(v) for v in values])]
    found = Detected()
    found.anomalies = [
        Judged(Origin(1, b"NVDA", b'{"a": NaN}'), flagged[0], 0, 0, is_again=False),
        Judged(Origin(2, b"NVDA", trade_json()), flagged[0], 0, 0, is_again=False),
    ]
    outbox.publish(0, found)
    assert [m["headers"]["trade_offset"] for _, m in transactions.producer.produced] == ["2"]


def test_error_of_the_client_while_publishing_ends_the_transaction(
    outbox: DetectorOutbox, transactions: FakeTransactions
) -> None:
    transactions.producer.is_full = True
    with pytest.raises(TransactionAbortedError):
        outbox.save("detector-checkpoints", 0, b"partition", b"state")
    with pytest.raises(TransactionAbortedError):
        outbox.withdraw(0, [(b"NVDA", "id", "time")], 5)
    found = Detected()
    found.rejected = [(record(9, b"no trade"), "no JSON")]
    with pytest.raises(TransactionAbortedError):
        outbox.publish(0, found)
    assert transactions.calls == ["fail"] * 3


def test_checkpoint_and_its_removal_go_to_the_partition_of_their_number(
    outbox: DetectorOutbox, transactions: FakeTransactions
) -> None:
    outbox.save("detector-checkpoints", 3, b"NVDA@2024-12-02", b"state")
    outbox.save("detector-checkpoints", 3, b"AMD@2024-12-02", None)
    assert [(topic, m["partition"], m["value"]) for topic, m in transactions.producer.produced] == [
        ("detector-checkpoints", 3, b"state"),
        ("detector-checkpoints", 3, None),
    ]
