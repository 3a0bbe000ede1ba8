"""Dead letters: what a service could not use, kept unchanged, with the reason and the origin."""

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from services.common.kafka.reading import partition_numbers
from services.common.kafka.records import Record
from services.contracts import dead_letter
from services.contracts.topics import DEAD_LETTER_MAX_BYTES, DEAD_LETTERS_TOPIC

MAX_ERROR_CHARS = 2_000
MAX_OWN_HEADERS, MAX_OWN_HEADER_BYTES = 100, 16_384
"""Limits for a message's own headers; more would not fit with a value of the largest size."""

COUNT_AGAIN_S = 10.0
"""The number of partitions may grow. Asking with each of many letters would outlast a transaction."""

_ANY_PARTITION = -1

OnDelivery = Callable[[KafkaError | None, Message], None]


def publish_rejected_row(
    producer: Producer, service: str, error: str, raw: bytes, file: str, line: int
) -> None:
    """Put a file's row into `dead-letters`; only the beginning if the row is larger than the topic allows.

    A failure to deliver it fails the producer's transaction.
    """
    if len(raw) > DEAD_LETTER_MAX_BYTES:
        error = f"of the row's {len(raw):,} bytes the first {DEAD_LETTER_MAX_BYTES:,} are kept; {error}"
        raw = raw[:DEAD_LETTER_MAX_BYTES]
    headers: dict[str, str | bytes | None] = {
        dead_letter.SERVICE: service,
        dead_letter.ERROR: error[:MAX_ERROR_CHARS],
        dead_letter.FILE: file,
        dead_letter.LINE: str(line),
    }
    producer.produce(DEAD_LETTERS_TOPIC, value=raw, headers=headers)


def publish_rejected_message(
    producer: Producer, service: str, error: str, message: Record, on_delivery: OnDelivery | None = None
) -> None:
    """Put a topic's message into `dead-letters`, under its own key and with its own headers.

    All letters of a message, from any service, go to the same partition and name the same origin.
    `on_delivery` is told of a failure; a transaction fails as a whole instead.
    """
    _, at_ms = message.timestamp()
    headers: dict[str, str | bytes | None] = {
        dead_letter.SERVICE: service,
        dead_letter.ERROR: error[:MAX_ERROR_CHARS],
        dead_letter.TOPIC: message.topic(),
        dead_letter.PARTITION: str(message.partition()),
        dead_letter.OFFSET: str(message.offset()),
        dead_letter.TIMESTAMP_MS: str(at_ms),
    }
    own = message.headers() or []
    size_bytes = sum(len(name.encode()) + len(value or b"") for name, value in own)
    if len(own) > MAX_OWN_HEADERS or size_bytes > MAX_OWN_HEADER_BYTES:
        headers[dead_letter.ERROR] = f"its {len(own):,} headers are not kept; {error}"[:MAX_ERROR_CHARS]
        own = [(name, value) for name, value in own if name == dead_letter.REPLAYED][:1]
    for name, value in own:
        is_replay = name == dead_letter.REPLAYED
        headers[dead_letter.REPLAY_OF if is_replay else f"{dead_letter.ORIGIN_PREFIX}{name}"] = value
    producer.produce(
        DEAD_LETTERS_TOPIC,
        key=message.key(),
        value=message.value(),
        headers=headers,
        on_delivery=on_delivery,
        partition=_partition_for(producer, message),
    )


def _partition_for(producer: Producer, message: Record) -> int:
    """Return the partition for a message's letters: by its key; without one, librdkafka would take any."""
    if message.key():
        return _ANY_PARTITION
    try:
        return message.partition() % _partitions.count(producer)
    except KafkaException:  # unavailable: the letter matters more than its partition
        return _ANY_PARTITION


class _Partitions:
    """How many partitions `dead-letters` has; keeps no client, as one that was left must be able to close."""

    def __init__(self) -> None:
        self._told_by = 0
        self._until_s = 0.0
        self._count = 0

    def count(self, producer: Producer) -> int:
        now_s = time.monotonic()
        if self._told_by != id(producer) or now_s >= self._until_s:
            self._count = len(partition_numbers(producer, DEAD_LETTERS_TOPIC))
            self._told_by, self._until_s = id(producer), now_s + COUNT_AGAIN_S
        return self._count


_partitions = _Partitions()
