"""A partition's end while other producers have open transactions, on the embedded Kafka."""

import threading
import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from infra.embedded.stack import EmbeddedStack
from services.common.kafka import offsets, reading
from services.common.kafka.clients import new_admin, new_producer
from services.common.kafka.reading import read_to_end
from tests.stops import AskedFor

OPEN_S = 1.0


@pytest.fixture
def topic(stack: EmbeddedStack) -> Iterator[str]:
    name = f"ends-{uuid.uuid4().hex}"
    admin = new_admin(stack.kafka_connection)
    admin.create_topics([NewTopic(name, 1)])[name].result()
    yield name
    admin.delete_topics([name])[name].result()


@pytest.fixture
def open_transaction(stack: EmbeddedStack, topic: str) -> Producer:
    """A transaction with a message between two others that are committed."""
    plain = new_producer(stack.kafka_connection)
    plain.produce(topic, value=b"before")
    assert plain.flush(10) == 0
    producer = new_producer(stack.kafka_connection, **{"transactional.id": topic})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(topic, value=b"within")
    assert producer.flush(10) == 0
    plain.produce(topic, value=b"behind")
    assert plain.flush(10) == 0
    return producer


def values(stack: EmbeddedStack, topic: str) -> list[bytes | None]:
    partitions = [TopicPartition(topic, 0, 0)]
    return [message.value() for message in read_to_end(stack.kafka_connection, partitions, AskedFor())]


def test_messages_behind_an_open_transaction_are_waited_for(
    stack: EmbeddedStack, topic: str, open_transaction: Producer
) -> None:
    later = threading.Timer(OPEN_S, open_transaction.abort_transaction)
    later.start()
    assert values(stack, topic) == [b"before", b"behind"]
    later.join()


def test_transaction_that_never_ends_is_not_waited_for_for_ever(
    stack: EmbeddedStack,
    topic: str,
    open_transaction: Producer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(offsets, "ABANDONED_S", OPEN_S)
    assert values(stack, topic) == [b"before"]
    assert "an open transaction that Kafka does not end" in capsys.readouterr().out
    open_transaction.abort_transaction()


def test_new_clients_read_on_where_nothing_came_for_long(
    stack: EmbeddedStack,
    topic: str,
    open_transaction: Producer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(reading, "SILENT_S", OPEN_S / 4)
    later = threading.Timer(2 * OPEN_S, open_transaction.abort_transaction)
    later.start()
    assert values(stack, topic) == [b"before", b"behind"]
    later.join()
    assert f"waiting for the end of {topic}" in capsys.readouterr().out


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_reading_of_state_ends_where_the_last_record_is_a_transactions_marker(
    stack: EmbeddedStack, end: str
) -> None:
    name = f"state-{uuid.uuid4().hex}"
    admin = new_admin(stack.kafka_connection)
    settings = {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0"}
    admin.create_topics([NewTopic(name, 1, config=settings)])[name].result()
    producer = new_producer(stack.kafka_connection, **{"transactional.id": name})
    producer.init_transactions(10)
    for value in (b"old", b"new"):
        producer.begin_transaction()
        producer.produce(name, key=b"symbol", value=value)
        producer.commit_transaction(10)
    producer.begin_transaction()
    producer.produce(name, key=b"symbol", value=None)
    if end == "abort":
        producer.abort_transaction(10)
    else:
        producer.commit_transaction(10)
    read = values(stack, name)
    admin.delete_topics([name])[name].result()
    assert read[-1] == (None if end == "commit" else b"new")
