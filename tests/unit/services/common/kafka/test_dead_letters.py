"""Dead letters are read back from a real topic as they were written."""

import uuid
import weakref
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import KafkaError, Message, Producer

from infra.embedded.stack import EmbeddedStack
from infra.setup.topics import set_up_topics
from services.common.kafka.clients import new_admin, new_producer
from services.common.kafka.dead_letters import (
    COUNT_AGAIN_S,
    MAX_ERROR_CHARS,
    MAX_OWN_HEADER_BYTES,
    MAX_OWN_HEADERS,
    publish_rejected_message,
    publish_rejected_row,
)
from services.common.kafka.records import Record
from tests.integration.pipeline import read_topic
from tests.narrow import headers_of, value_of
from tests.samples import kafka_record

AT_MS = 1_733_149_800_000


def fail(error: KafkaError | None, _message: Message) -> None:
    raise AssertionError(error)


@pytest.fixture(scope="module")
def written(stack: EmbeddedStack) -> dict[str, Record]:
    """Letters of each form, by name, which is their value."""
    set_up_topics(new_admin(stack.kafka_connection))
    run = uuid.uuid4().hex
    producer = new_producer(stack.kafka_connection)

    def refuse(name: str, headers: list[tuple[str, bytes]] | None) -> None:
        value = f"{name} {run}".encode()
        message = kafka_record("trades", 3, 9, key=b"K", value=value, headers=headers, at_ms=AT_MS)
        publish_rejected_message(producer, "indexer", "no " * 1_000, message, fail)

    refuse("plain", None)
    refuse("strange", [("other", b"1")])
    refuse("replayed", [("dead-letter", b"4-12"), ("other", b"1")])
    refuse("many", [("dead-letter", b"4-12"), *[("other", b"1")] * MAX_OWN_HEADERS])
    refuse("long", [("other", bytes(MAX_OWN_HEADER_BYTES))])
    publish_rejected_row(producer, "producer", "size is empty", f"row {run}".encode(), "day.csv", 17)
    assert producer.flush(10) == 0
    letters = read_topic(stack, "dead-letters")
    found = [message for message in letters if run.encode() in (message.value() or b"")]
    assert len(found) == 6
    return {value_of(message).decode().split()[0]: message for message in found}


ORIGIN = {
    "service": b"indexer",
    "error": (b"no " * 1_000)[:MAX_ERROR_CHARS],
    "topic": b"trades",
    "partition": b"3",
    "offset": b"9",
    "timestamp_ms": str(AT_MS).encode(),
}


def test_letter_of_a_message_has_its_key_and_headers_and_names_its_origin(
    written: dict[str, Record],
) -> None:
    assert headers_of(written["plain"]) == ORIGIN
    assert headers_of(written["strange"]) == ORIGIN | {"origin.other": b"1"}
    assert {written[name].key() for name in ("plain", "strange")} == {b"K"}


def test_headers_beyond_the_limit_are_left_out_and_the_letter_says_so(written: dict[str, Record]) -> None:
    many, long = (headers_of(written[name]) for name in ("many", "long"))
    assert many.keys() == ORIGIN.keys() | {"replay_of"}
    assert long.keys() == ORIGIN.keys()
    assert many["error"].startswith(b"its 101 headers are not kept; no no ")
    assert long["error"].startswith(b"its 1 headers are not kept; no no ")


def test_letter_of_a_message_that_was_put_back_names_the_first_letter(written: dict[str, Record]) -> None:
    assert headers_of(written["replayed"]) == ORIGIN | {
        "replay_of": b"4-12",
        "origin.other": b"1",
    }


def test_letter_of_a_row_names_file_and_line(written: dict[str, Record]) -> None:
    expected = {"service": b"producer", "error": b"size is empty", "file": b"day.csv", "line": b"17"}
    assert headers_of(written["row"]) == expected
    assert written["row"].key() is None


@pytest.mark.parametrize("key", [None, b"", b"K"])
def test_letters_of_a_message_are_in_one_partition_from_any_service(
    stack: EmbeddedStack, key: bytes | None
) -> None:
    set_up_topics(new_admin(stack.kafka_connection))
    value = f"letters of two {uuid.uuid4().hex}".encode()
    message = kafka_record("trades", 400, 9, key=key, value=value, at_ms=AT_MS)
    for service in ("detector", "indexer"):
        producer = new_producer(stack.kafka_connection)
        for _ in range(3):
            publish_rejected_message(producer, service, "why", message, fail)
            assert producer.flush(10) == 0
    found = [letter for letter in read_topic(stack, "dead-letters") if letter.value() == value]
    assert len(found) == 6
    assert len({letter.partition() for letter in found}) == 1


@dataclass
class FakeProducer:
    """Knows how many partitions the topic has, and where each letter was sent."""

    partitions: int = 6
    questions: int = 0
    sent_to: list[int] = field(default_factory=list)

    def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
        assert timeout > 0
        self.questions += 1
        described = SimpleNamespace(error=None, partitions=dict.fromkeys(range(self.partitions)))
        return SimpleNamespace(topics={topic: described})

    def produce(self, _topic: str, *, partition: int, **_: object) -> None:
        self.sent_to.append(partition)

    def reject(self, partition: int) -> int:
        """Return where a letter of a message without a key is sent."""
        message = kafka_record("trades", partition, 9, key=None, value=b"{}", at_ms=AT_MS)
        publish_rejected_message(cast(Producer, self), "indexer", "why", message)
        return self.sent_to[-1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a test may set."""
    now_s = [1_000_000.0]
    monkeypatch.setattr("services.common.kafka.dead_letters.time.monotonic", lambda: now_s[0])
    return now_s


def test_partitions_are_counted_again_after_a_while_as_their_number_may_grow(clock: list[float]) -> None:
    producer = FakeProducer(partitions=6)
    assert [producer.reject(7), producer.reject(8)] == [1, 2]
    assert producer.questions == 1
    producer.partitions = 12
    clock[0] += COUNT_AGAIN_S
    assert producer.reject(7) == 7
    assert producer.questions == 2


def test_each_client_counts_for_itself_and_is_not_kept(clock: list[float]) -> None:
    first, second = FakeProducer(partitions=6), FakeProducer(partitions=4)
    assert (first.reject(7), second.reject(7)) == (1, 3)
    left = weakref.ref(first)
    del first
    assert left() is None
