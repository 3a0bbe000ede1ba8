"""A producer of single trades at a rate, for the benchmark of latency.

    python -m benchmarks.trade_sender 0 5000 25

The arguments are the first trade's number, trades a second and seconds; `TAPEWATCH_KAFKA` says where Kafka
is. Each trade is stamped when it is sent; every thousandth is ten per cent off the others. Buyers and sellers
take turns: a tape of buyers alone is an anomaly at each trade. The trade's number is its id.
"""

import os
import sys
import time
from collections.abc import Sequence

from benchmarks.feed_venue import cents_of, iso
from services.common.kafka.clients import new_producer
from services.common.kafka.connection import KafkaConnection
from services.contracts.topics import TRADES_TOPIC

SYMBOLS = tuple(f"LAT{number}" for number in range(7))
"""They have wrong prices in turn, as their number does not divide a thousand."""

LINGER_MS = 1


def trade(number: int, now: str, symbols: Sequence[str] = SYMBOLS) -> tuple[str, str]:
    """Return a trade's key and its message."""
    turn, at = divmod(number, len(symbols))
    symbol, cents, side = symbols[at], cents_of(number), "BA"[turn % 2]
    return symbol, (
        f'{{"@timestamp":"{now}","trade_id":"{number}","symbol":"{symbol}","price":{cents / 100},'
        f'"size":{number % 300 + 1},"side":"{side}","sequence":{number + 1},"source":"benchmark"}}'
    )


def main() -> None:
    """Send the trades when they are due."""
    first, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    producer = new_producer(KafkaConnection(os.environ["TAPEWATCH_KAFKA"]), **{"linger.ms": LINGER_MS})
    began_s = time.monotonic()
    for number in range(first, first + int(rate * seconds)):
        wait_s = began_s + (number - first) / rate - time.monotonic()
        if wait_s > 0.0005:
            time.sleep(wait_s)
        key, message = trade(number, iso(time.time_ns()))
        producer.produce(TRADES_TOPIC, key=key, value=message)
        producer.poll(0)
    producer.flush(30)


if __name__ == "__main__":
    main()
