"""How messages are sent, read and committed, each choice beside its alternatives.

Four tables, on the embedded Kafka with nothing else beside it:

- *Sending*: a generated day's trades, ready as bytes, by a client with transactions as `tapewatch produce`
  has it, into a topic of their own for each variant; then they are read back, which takes the client's time
  to decompress.
- *Reading*: all of `trades`, in batches as large as the detector's, by a consumer as every service has it.
  The time is from the first batch to the last.
- *Committing*: `tapewatch detect` on the full topic, as in `benchmarks/service.py`, with another size of
  batches, or with longer or shorter transactions.
- *Sharing*: several detectors of one group on the same full topic, from when they have done a third to when
  nine tenths are done.

Each variant changes one thing about what is chosen. They go in turns, every other turn backwards, after one
that does not count; figures are medians. Processor time is that of this process, all of its threads, or of
the detector's, and of the broker's.
"""

import datetime as dt
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from confluent_kafka import Consumer
from confluent_kafka.admin import NewTopic

from benchmarks.ready_producer import Message, open_producer, ready_transactions, send
from benchmarks.rows import Table
from benchmarks.service import Bench
from benchmarks.surroundings import generated_day, note, processor_s
from benchmarks.topics import topic_sizes
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.setup.topics import set_up_topics
from services.common.kafka.clients import new_admin, new_consumer
from services.contracts.topics import TRADES_TOPIC
from services.sources.synthetic.day import DayConfig

TURNS = 3
PARTITIONS = 6
READ_AT_ONCE = 20_000
TIMEOUT_S = 60.0
DAY = DayConfig(date=dt.date(2026, 3, 2), trades=600_000, symbols=24)
CHOSEN = "as chosen"

SENDING: Mapping[str, Mapping[str, object]] = {
    f"{CHOSEN}: lz4, up to 1 MB a batch, 20 ms": {},
    "not compressed": {"compression.type": "none"},
    "snappy": {"compression.type": "snappy"},
    "zstd": {"compression.type": "zstd"},
    "gzip": {"compression.type": "gzip"},
    "up to 16 kB a batch": {"batch.size": 16_384},
    "up to 100 kB a batch": {"batch.size": 100_000},
    "at once": {"linger.ms": 0},
    "after 100 ms": {"linger.ms": 100},
}
READING: Mapping[str, Mapping[str, object]] = {
    f"{CHOSEN}: 4 MB a partition, 64 MB ahead, 10 ms": {},
    "1 MB a partition": {"fetch.message.max.bytes": 1_048_576},
    "16 MB a partition": {"fetch.message.max.bytes": 16_000_000, "receive.message.max.bytes": 200_000_000},
    "16 MB ahead": {"queued.max.messages.kbytes": 16_384},
    "256 MB ahead": {"queued.max.messages.kbytes": 262_144},
    "a full queue fetches again after 1 s": {"fetch.queue.backoff.ms": 1000},
}
COMMITTING: Mapping[str, str] = {
    f"{CHOSEN}: 20,000 trades, 0.25 s": "",
    "batches of 2,000": "service.MAX_BATCH_TRADES = 2_000",
    "batches of 10,000": "service.MAX_BATCH_TRADES = 10_000",
    "batches of 40,000": "service.MAX_BATCH_TRADES = 40_000",
    "a commit after each batch": "service.COMMIT_S = 0.0",
    "a commit each second": "service.COMMIT_S = 1.0",
}
"""What is changed in the detector's module `service` before it starts."""

SHARING: Mapping[str, int] = {"one detector": 1, "two detectors": 2}

_T = TypeVar("_T")


class Took(NamedTuple):
    """What sending or reading took."""

    trades_per_s: float
    client_us: float
    """Processor time of this process for a trade, µs."""
    broker_us: float
    """The broker's."""


class Sent(NamedTuple):
    """What sending took, and what came of it."""

    sent: Took
    read_us: float
    """This process's processor time to read a trade back, µs."""
    bytes_a_trade: float
    """In the topic."""


def measure() -> list[Table]:
    """Measure all four."""
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config, report=note) as stack:
        stack.elasticsearch.stop()
        set_up_topics(new_admin(stack.kafka_connection))
        bench = Bench(stack.kafka_bootstrap)
        sending = _sending(stack)
        bench.publish(DAY)
        reading = _reading(stack)
        bench.publish(replace(DAY, date=DAY.date + dt.timedelta(days=1)))
        return [sending, reading, _committing(bench), _sharing(bench)]


def _sending(stack: EmbeddedStack) -> Table:
    """Send the day in every variant."""
    transactions = ready_transactions(generated_day(DAY))
    found = _in_turns(SENDING, lambda name: _sent(stack, transactions, SENDING[name]))
    rows = []
    for name, turns in found.items():
        read_us = statistics.median(one.read_us for one in turns)
        bytes_a_trade = statistics.median(one.bytes_a_trade for one in turns)
        rows.append((name, *_figures([one.sent for one in turns]), f"{read_us:.2f}", f"{bytes_a_trade:.0f}"))
    return _table(
        f"Sending {DAY.trades:,} trades; *µs* is processor time for each:",
        ("how", "trades/s", "client, µs", "broker, µs", "read back, µs", "bytes a trade"),
        rows,
    )


def _reading(stack: EmbeddedStack) -> Table:
    """Read the day in every variant."""
    found = _in_turns(READING, lambda name: _read(stack, TRADES_TOPIC, READING[name]))
    return _table(
        f"Reading {DAY.trades:,} trades:",
        ("how", "trades/s", "client, µs", "broker, µs"),
        [(name, *_figures(turns)) for name, turns in found.items()],
    )


def _committing(bench: Bench) -> Table:
    """Run the detector on two days in every variant."""
    found = _in_turns(
        COMMITTING,
        lambda name: bench.detector([sys.executable, "-c", _DETECT.format(change=COMMITTING[name])]),
    )
    rows = []
    for name, speeds in found.items():
        trades_per_s = statistics.median(speed.trades_per_s for speed in speeds)
        rows.append((name, f"{trades_per_s:,.0f}", f"{statistics.median(s.processor_s for s in speeds):.2f}"))
    return _table("Detecting and committing:", ("how", "trades/s", "processor s a million"), rows)


def _sharing(bench: Bench) -> Table:
    """Run one detector and several, on two days more."""
    for days in (2, 3):
        bench.publish(replace(DAY, date=DAY.date + dt.timedelta(days=days), trades=2 * DAY.trades))
    found = _in_turns(SHARING, lambda name: bench.detectors(SHARING[name]))
    rows = [(name, f"{statistics.median(rates):,.0f}") for name, rates in found.items()]
    return _table("Detectors of one group:", ("how", "trades/s"), rows)


_DETECT = """
import sys
from services.detector.live import service
{change}
from cli.main import main
sys.argv = ["tapewatch", "detect"]
main()
"""


def _in_turns(variants: Mapping[str, object], measure: Callable[[str], _T]) -> dict[str, list[_T]]:
    """Measure each variant by its name, turn by turn; the first turn warms up and is dropped."""
    found: dict[str, list[_T]] = {name: [] for name in variants}
    for turn in range(TURNS + 1):
        note(f"choices: turn {turn} of {TURNS}, {len(variants)} variants")
        for name in variants if turn % 2 == 0 else reversed(list(variants)):
            found[name].append(measure(name))
    return {name: turns[1:] for name, turns in found.items()}


def _sent(stack: EmbeddedStack, transactions: list[list[Message]], settings: Mapping[str, object]) -> Sent:
    """Send the day into a topic of its own, and read it back."""
    topic = f"choice-{time.monotonic_ns()}"
    _create(stack, topic)
    producer = open_producer(stack.kafka_connection, topic, **settings)
    sent = _timed(stack, DAY.trades, lambda: send(producer, topic, transactions))
    read = _read(stack, topic, {})
    size_bytes = topic_sizes(stack.data_dir / "kafka" / "data")[topic]
    _delete(stack, topic)
    return Sent(sent, read.client_us, size_bytes / DAY.trades)


def _create(stack: EmbeddedStack, topic: str) -> None:
    admin = new_admin(stack.kafka_connection)
    for future in admin.create_topics([NewTopic(topic, PARTITIONS)]).values():
        future.result(TIMEOUT_S)


def _delete(stack: EmbeddedStack, topic: str) -> None:
    admin = new_admin(stack.kafka_connection)
    for future in admin.delete_topics([topic]).values():
        future.result(TIMEOUT_S)


def _read(stack: EmbeddedStack, topic: str, settings: Mapping[str, object]) -> Took:
    """Read a topic that has the day."""
    consumer = new_consumer(stack.kafka_connection, f"choices-{time.monotonic_ns()}", **settings)
    consumer.subscribe([topic])
    left = DAY.trades - len(_some(consumer))
    try:
        return _timed(stack, left, lambda: _read_to_end(consumer, left))
    finally:
        consumer.close()


def _some(consumer: Consumer) -> list[bytes]:
    """Return the values of the next batch; events are none."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline_s:
        messages = consumer.consume(1, 0.1)
        messages += consumer.consume(READ_AT_ONCE, 0.0) if messages else []
        values = [message.value() or b"" for message in messages if message.error() is None]
        if values:
            return values
    raise RuntimeError("no messages came")


def _read_to_end(consumer: Consumer, left: int) -> None:
    while left > 0:
        left -= len(_some(consumer))


def _timed(stack: EmbeddedStack, trades: int, work: Callable[[], None]) -> Took:
    broker = stack.kafka.pid
    if broker is None:
        raise RuntimeError("Kafka does not run")
    began_s, own_s, broker_s = time.perf_counter(), time.process_time(), processor_s(broker)
    work()
    own_us = (time.process_time() - own_s) / trades * 1e6
    broker_us = (processor_s(broker) - broker_s) / trades * 1e6
    return Took(trades / (time.perf_counter() - began_s), own_us, broker_us)


def _figures(turns: list[Took]) -> tuple[str, str, str]:
    """Return the medians as the tables have them."""
    trades_per_s, client_us, broker_us = map(statistics.median, zip(*turns, strict=True))
    return f"{trades_per_s:,.0f}", f"{client_us:.2f}", f"{broker_us:.2f}"


def _table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(title, columns, tuple(rows), frozenset({columns[0]}))
