"""Dead letters: what no service could use, kept as it came, with the reason and the origin."""

from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from services.common.contracts import DEAD_LETTERS_TOPIC

MAX_ERROR_CHARS = 2_000

OnDelivery = Callable[[KafkaError | None, Message], None]


def publish_refused_row(
    producer: Producer, service: str, error: str, raw: bytes, file: str, line: int, on_delivery: OnDelivery
) -> None:
    """Put a file's row into `dead-letters`; `on_delivery` hears of a failure."""
    headers = {"service": service, "error": error[:MAX_ERROR_CHARS], "file": file, "line": str(line)}
    producer.produce(DEAD_LETTERS_TOPIC, value=raw, headers=headers, on_delivery=on_delivery)


def publish_refused_message(
    producer: Producer, service: str, error: str, message: Message, on_delivery: OnDelivery
) -> None:
    """Put a topic's message into `dead-letters`, under its own key; `on_delivery` hears of a failure."""
    headers = {
        "service": service,
        "error": error[:MAX_ERROR_CHARS],
        "topic": message.topic(),
        "partition": str(message.partition()),
        "offset": str(message.offset()),
    }
    producer.produce(
        DEAD_LETTERS_TOPIC, key=message.key(), value=message.value(), headers=headers, on_delivery=on_delivery
    )
