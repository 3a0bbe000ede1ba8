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

from services.common.kafka.clients import new_producer
from services.common.kafka.connection import KafkaConnection
from services.contracts.topics import TRADES_TOPIC
from services.producer.pending import COMMIT_ROWS
from services.sources.files import open_source

TIMEOUT_S = 30.0


def main() -> None:
    """Publish the file."""
    source = open_source(Path(sys.argv[1]))
    messages = [
        {"key": symbol.encode(), "value": value}
        for chunk in source.chunks()
        for symbol, value in zip(chunk.trades["symbol"], source.to_json(chunk.trades), strict=True)
    ]
    transactions = [messages[first : first + COMMIT_ROWS] for first in range(0, len(messages), COMMIT_ROWS)]
    began_s = time.perf_counter()
    kafka = KafkaConnection(os.environ["TAPEWATCH_KAFKA"])
    producer = new_producer(kafka, **{"transactional.id": "benchmark-ready-producer"})
    producer.list_topics(timeout=TIMEOUT_S)  # else every other start would take half a second longer
    producer.init_transactions(TIMEOUT_S)
    for transaction in transactions:
        producer.begin_transaction()
        if producer.produce_batch(TRADES_TOPIC, transaction) < len(transaction):
            raise RuntimeError("the client's queue is full")
        producer.commit_transaction(TIMEOUT_S)
    print(json.dumps({"trades_per_s": len(messages) / (time.perf_counter() - began_s)}))


if __name__ == "__main__":
    main()
