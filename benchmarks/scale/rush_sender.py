"""A producer of trades at several rates, one after the other, for the benchmark of a market's open.

    python -m benchmarks.scale.rush_sender 2500 30 50000 10 2500 60

The arguments are pairs of trades a second and seconds; `TAPEWATCH_KAFKA` says where Kafka is. Each trade is
stamped when it is sent, to the millisecond; every thousandth is ten per cent off the others. At the end it
prints when it began with each rate, and when it ended, in seconds since 1970, and how many trades it had sent
by then.
"""

import json
import os
import sys
import time

from benchmarks.feed_venue import iso
from benchmarks.trade_sender import LINGER_MS, trade
from services.common.kafka.clients import new_producer
from services.common.kafka.connection import KafkaConnection
from services.contracts.topics import TRADES_TOPIC

SYMBOLS = tuple(f"OPEN{number:02}" for number in range(73))
"""They have wrong prices in turn, as their number has no divisor in common with a thousand. So many that each
one's are more than a second apart at 50,000 trades a second: each is an alert of its own."""

TICK_S = 0.001
MOST_WAITING = 1_000_000
"""Messages that the broker has not acknowledged."""


def main() -> None:
    """Send the trades when they are due."""
    numbers = [float(one) for one in sys.argv[1:]]
    producer = new_producer(
        KafkaConnection(os.environ["TAPEWATCH_KAFKA"]),
        **{"linger.ms": LINGER_MS, "queue.buffering.max.messages": MOST_WAITING},
    )
    marks: list[tuple[float, int]] = []
    number = 0
    for rate, seconds in zip(numbers[::2], numbers[1::2], strict=True):
        marks.append((time.time(), number))
        began_s, first, count = time.monotonic(), number, int(rate * seconds)
        while number < first + count:
            due = first + min(count, int((time.monotonic() - began_s) * rate) + 1)
            now = iso(time.time_ns())
            for each in range(number, due):
                key, message = trade(each, now, SYMBOLS)
                producer.produce(TRADES_TOPIC, key=key, value=message)
            number = due
            producer.poll(0)
            time.sleep(TICK_S)
    marks.append((time.time(), number))
    producer.flush(60)
    print(json.dumps(marks))


if __name__ == "__main__":
    main()
