"""Hands trades over to Kafka, many in one call."""

from collections.abc import Iterable

from confluent_kafka import KafkaException, Producer

from services.contracts.topics import TRADES_TOPIC


def produce_trades(producer: Producer, trades: Iterable[tuple[bytes, bytes]]) -> None:
    """Put trades, each with its key and its value, into the open transaction of a client.

    Raises
    ------
    KafkaException
        The client did not take one of them.
    """
    messages = [{"key": key, "value": value} for key, value in trades]
    if producer.produce_batch(TRADES_TOPIC, messages) < len(messages):
        raise KafkaException(next(message["_error"] for message in messages if "_error" in message))
