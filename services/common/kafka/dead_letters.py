"""Dead letters: what no service could use, kept as it came, with the reason and the origin."""

from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from services.common.kafka.records import Record
from services.contracts.topics import DEAD_LETTER_MAX_BYTES, DEAD_LETTERS_TOPIC

MAX_ERROR_CHARS = 2_000
MAX_OWN_HEADERS, MAX_OWN_HEADER_BYTES = 100, 16_384
"""Of a message; more would not fit beside a value as long as the topic takes."""

REPLAYED_HEADER = "dead-letter"
"""Of a message that was put back: the id of its letter."""
ORIGIN_PREFIX = "origin."
"""Before the names of the headers that the message itself came with."""
REPLAY_OF_HEADER = "replay_of"
"""Of the letter of such a message, when it was refused again: the id of the first letter."""

OnDelivery = Callable[[KafkaError | None, Message], None]


def publish_refused_row(
    producer: Producer, service: str, error: str, raw: bytes, file: str, line: int
) -> None:
    """Put a file's row into `dead-letters`; of a larger one than the topic takes, the beginning.

    A failure to deliver it fails the producer's transaction.
    """
    if len(raw) > DEAD_LETTER_MAX_BYTES:
        error = f"of the row's {len(raw):,} bytes the first {DEAD_LETTER_MAX_BYTES:,} are kept; {error}"
        raw = raw[:DEAD_LETTER_MAX_BYTES]
    headers = {"service": service, "error": error[:MAX_ERROR_CHARS], "file": file, "line": str(line)}
    producer.produce(DEAD_LETTERS_TOPIC, value=raw, headers=headers)


def publish_refused_message(
    producer: Producer, service: str, error: str, message: Record, on_delivery: OnDelivery | None = None
) -> None:
    """Put a topic's message into `dead-letters`, under its own key and with its own headers.

    `on_delivery` hears of a failure; in a transaction, that fails as a whole.
    """
    headers: dict[str, str | bytes | None] = {
        "service": service,
        "error": error[:MAX_ERROR_CHARS],
        "topic": message.topic(),
        "partition": str(message.partition()),
        "offset": str(message.offset()),
    }
    own = message.headers() or ()
    size_bytes = sum(len(name.encode()) + len(value or b"") for name, value in own)
    if len(own) > MAX_OWN_HEADERS or size_bytes > MAX_OWN_HEADER_BYTES:
        headers["error"] = f"its {len(own):,} headers are not kept; {error}"[:MAX_ERROR_CHARS]
        own = [(name, value) for name, value in own if name == REPLAYED_HEADER][:1]
    for name, value in own:
        headers[REPLAY_OF_HEADER if name == REPLAYED_HEADER else f"{ORIGIN_PREFIX}{name}"] = value
    producer.produce(
        DEAD_LETTERS_TOPIC, key=message.key(), value=message.value(), headers=headers, on_delivery=on_delivery
    )
