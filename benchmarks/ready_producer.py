"""The client library alone: a file's trades, ready as bytes, into the topic `trades` in transactions.

    python -m benchmarks.ready_producer FILE

`TAPEWATCH_KAFKA` says where Kafka is. Keys and values are in memory before the clock starts. It publishes as
many a transaction as `tapewatch produce`, with the same settings of librdkafka, and prints trades a second,
from opening the client to the last commit.
"""

import json
import os
import sys
import time
from pathlib import Path

from confluent_kafka import Producer

from services.common.kafka.clients import new_producer
from services.common.kafka.connection import KafkaConnection
from services.contracts.topics import TRADES_TOPIC
from services.producer.pending import COMMIT_ROWS
from services.sources.files import open_source

TIMEOUT_S = 30.0


Message = dict[str, bytes]
"""A key and a value, as the client library takes them."""


def ready_transactions(day: Path) -> list[list[Message]]:
    """Return a file's trades as messages, as many in a transaction as `tapewatch produce` has."""
    source = open_source(day)
    messages = [
        {"key": symbol.encode(), "value": value}
        for chunk in source.chunks()
        for symbol, value in zip(chunk.trades["symbol"], source.to_json(chunk.trades), strict=True)
    ]
    return [messages[first : first + COMMIT_ROWS] for first in range(0, len(messages), COMMIT_ROWS)]


def open_producer(kafka: KafkaConnection, name: str, **settings: object) -> Producer:
    """Return a client that can begin transactions under a name."""
    producer = new_producer(kafka, **{"transactional.id": name}, **settings)
    producer.list_topics(timeout=TIMEOUT_S)  # else every other start would take half a second longer
    producer.init_transactions(TIMEOUT_S)
    return producer


def send(producer: Producer, topic: str, transactions: list[list[Message]]) -> None:
    """Send messages to a topic, and commit each transaction."""
    for transaction in transactions:
        producer.begin_transaction()
        if producer.produce_batch(topic, transaction) < len(transaction):
            raise RuntimeError("the client's queue is full")
        producer.commit_transaction(TIMEOUT_S)


def main() -> None:
    """Publish the file."""
    transactions = ready_transactions(Path(sys.argv[1]))
    began_s = time.perf_counter()
    producer = open_producer(KafkaConnection(os.environ["TAPEWATCH_KAFKA"]), "benchmark-ready-producer")
    send(producer, TRADES_TOPIC, transactions)
    trades = sum(map(len, transactions))
    print(json.dumps({"trades_per_s": trades / (time.perf_counter() - began_s)}))


if __name__ == "__main__":
    main()
