"""The indexer's peers: other programs that send the same trades to the same index.

Each sends the given number of trades from the topic `trades` and exits; bulk requests have as many documents
as the indexer's:

- `bare`: as little Python as possible; messages become bodies by joining bytes, id and day are cut out
  unchecked, several connections send. It commits nothing, and stops at the first error;
- `ready`: the same, but all bodies are ready in memory before the first is sent;
- `bulk`, `parallel_bulk`: the helpers of elasticsearch-py, fed with parsed messages as in its
  documentation.

Usage: python -m benchmarks.index_clients FORM BOOTSTRAP URL TRADES CONNECTIONS
"""

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore
from typing import Any

import orjson
import urllib3
from confluent_kafka import Consumer, TopicPartition
from elasticsearch import Elasticsearch, helpers

from services.common.kafka.clients import new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers
from services.contracts.indices import TRADES_INDEX_PREFIX
from services.contracts.topics import TRADES_TOPIC
from services.indexer.batch import MAX_BATCH_RECORDS

HEADERS = {"content-type": "application/x-ndjson"}
POLL_S = 0.05
DONE = b'{"errors":false}'


def main(form: str, bootstrap: str, url: str, trades: str, connections: str) -> None:
    """Send the trades; see the module."""
    batches = read_batches(bootstrap, int(trades))
    if form in ("bare", "ready"):
        bodies: Iterable[bytes] = map(to_body, batches)
        send_all(list(bodies) if form == "ready" else bodies, url, int(connections))
        return
    client = Elasticsearch(url)
    actions = (to_action(value) for batch in batches for value in batch)
    if form == "bulk":
        helpers.bulk(client, actions, chunk_size=MAX_BATCH_RECORDS, stats_only=True)
        return
    for _ in helpers.parallel_bulk(
        client, actions, thread_count=int(connections), chunk_size=MAX_BATCH_RECORDS
    ):
        pass


def read_batches(bootstrap: str, trades: int) -> Iterator[list[bytes]]:
    """Read the given number of trades from the beginning of the topic."""
    consumer: Consumer = new_consumer(KafkaConnection(bootstrap), "benchmark-reads-only")
    numbers = partition_numbers(consumer, TRADES_TOPIC)
    consumer.assign([TopicPartition(TRADES_TOPIC, number, 0) for number in numbers])
    batch: list[bytes] = []
    while trades:
        room = min(MAX_BATCH_RECORDS - len(batch), trades)
        values = [
            message.value() or b"" for message in consumer.consume(room, POLL_S) if message.error() is None
        ]
        batch += values
        trades -= len(values)
        if batch and (len(batch) == MAX_BATCH_RECORDS or not trades):
            yield batch
            batch = []
    consumer.close()


def to_body(values: list[bytes]) -> bytes:
    """Make the body of a bulk request of messages as Tapewatch's producer writes them."""
    lines = []
    for value in values:
        # {"@timestamp":"2024-12-02T...","trade_id":"...",...
        _, _, _, time, _, _, _, trade_id, _ = value.split(b'"', 8)
        target = b"%b%b.%b.%b" % (TRADES_INDEX_PREFIX.encode(), time[:4], time[5:7], time[8:10])
        lines.append(b'{"index":{"_index":"%b","_id":"%b"}}\n%b\n' % (target, trade_id, value))
    return b"".join(lines)


def send_all(bodies: Iterable[bytes], url: str, connections: int) -> None:
    """Send bulk requests over the given number of connections.

    Raises
    ------
    RuntimeError
        Elasticsearch did not take all documents of a request.
    """
    pool = urllib3.connection_from_url(url, maxsize=connections, block=True)

    def send(body: bytes) -> None:
        answer = pool.request("POST", "/_bulk?filter_path=errors", body=body, headers=HEADERS)
        if answer.data != DONE:
            raise RuntimeError(f"Elasticsearch answered {answer.status}: {answer.data[:500]!r}")

    free = Semaphore(connections)
    sent: list[Future[None]] = []
    with ThreadPoolExecutor(connections) as threads:
        for body in bodies:  # the next one is made before it waits for a connection
            free.acquire()
            sent.append(threads.submit(send, body))
            sent[-1].add_done_callback(lambda _: free.release())
    for one in sent:
        one.result()


def to_action(value: bytes) -> dict[str, Any]:
    """Turn a message into an action for the helpers."""
    fields = orjson.loads(value)
    day = fields["@timestamp"][:10].replace("-", ".")
    return {"_index": f"{TRADES_INDEX_PREFIX}{day}", "_id": fields["trade_id"], "_source": fields}


if __name__ == "__main__":
    main(*sys.argv[1:])
