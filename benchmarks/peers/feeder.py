"""Publishes trades at an even rate until it is told to stop: `python -m benchmarks.peers.feeder KAFKA RATE`.

Each trade is sent when it is due. Every `EACH`th is larger than any threshold of the benchmark, and
ten per cent off the other prices. At the end it prints how many there were.
"""

import sys
import time

from confluent_kafka import Producer

from benchmarks.feed_venue import CENTS, iso
from services.common.kafka.clients import new_producer
from services.common.kafka.connection import KafkaConnection
from services.common.process.shutdown import Stop
from services.contracts.topics import TRADES_TOPIC

EACH = 503
"""Of each symbol's too. A symbol that has many more does not stand out by them: the detector learns that."""

SYMBOLS = 24
LARGE_SHARES = 20_001
LINGER_MS = 1
LEAST_SLEEP_S = 0.0005
FLUSH_TIMEOUT_S = 30.0


def trade(number: int, now: str) -> tuple[str, str]:
    """Return the symbol and the JSON of a trade, with the fields of a Databento file.

    Parameters
    ----------
    number
        Number of the trade, from 0.
    now
        Its time, ISO 8601.
    """
    symbol = f"PEER{number % SYMBOLS}"
    is_marked = number % EACH == EACH - 1
    cents = CENTS + number * 7919 % 3
    cents = cents * 11 // 10 if is_marked else cents
    size = LARGE_SHARES + number % 997 if is_marked else number % 300 + 1
    return symbol, (
        f'{{"@timestamp":"{now}","trade_id":"peers-{number}","symbol":"{symbol}",'
        f'"price":{cents // 100}.{cents % 100:02d},"size":{size},"side":"B","source":"databento",'
        f'"ts_recv":"{now}","publisher_id":2,"instrument_id":{number % SYMBOLS},"action":"T","depth":0,'
        f'"flags":0,"ts_in_delta":1000,"sequence":{number + 1},"rtype":0}}'
    )


def main(bootstrap: str, rate: float) -> int:
    """Publish until SIGTERM, and return how many trades there were.

    Parameters
    ----------
    bootstrap
        Bootstrap servers of Kafka.
    rate
        Trades a second.
    """
    producer: Producer = new_producer(KafkaConnection(bootstrap), **{"linger.ms": LINGER_MS})
    stop = Stop()
    began_s = time.monotonic()
    count = 0
    while not stop.requested:
        wait_s = began_s + count / rate - time.monotonic()
        if wait_s > LEAST_SLEEP_S:
            time.sleep(wait_s)
        symbol, text = trade(count, iso(time.time_ns()))
        producer.produce(TRADES_TOPIC, text, symbol)
        producer.poll(0)
        count += 1
    if producer.flush(FLUSH_TIMEOUT_S):
        raise SystemExit("Kafka did not take all trades")
    return count


if __name__ == "__main__":
    print(main(sys.argv[1], float(sys.argv[2])), flush=True)
