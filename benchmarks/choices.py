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
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from confluent_kafka import Consumer
from confluent_kafka.admin import NewTopic

from benchmarks.rows import Table
from benchmarks.service import Bench
from benchmarks.surroundings import generated_day, note, processor_s
from benchmarks.topics import topic_sizes
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.setup.topics import set_up_topics
from services.common.kafka.clients import new_admin, new_consumer, new_producer
from services.contracts.topics import TRADES_TOPIC
from services.producer.pending import COMMIT_ROWS
from services.sources.files import open_source
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

Message = dict[str, bytes]


@dataclass
class Sent:
    """What a variant of sending took, by turn."""

    rates: list[float] = field(default_factory=list)
    client_us: list[float] = field(default_factory=list)
    broker_us: list[float] = field(default_factory=list)
    read_us: list[float] = field(default_factory=list)
    bytes_a_trade: float = 0.0


@dataclass
class Read:
    """What a variant of reading took, by turn."""

    rates: list[float] = field(default_factory=list)
    client_us: list[float] = field(default_factory=list)
    broker_us: list[float] = field(default_factory=list)


def measure() -> list[Table]:
    """Measure all three."""
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
    messages = _ready_messages()
    found = {name: Sent() for name in SENDING}
    for turn, name in _turns(SENDING):
        topic = f"choice-{turn}-{re.sub('[^a-z0-9]+', '-', name)}"
        _create(stack, topic)
        sent = _send(stack, topic, messages, SENDING[name])
        _, read_us, _ = _read(stack, topic, len(messages), {})
        if turn:
            one = found[name]
            for values, value in zip((one.rates, one.client_us, one.broker_us), sent, strict=True):
                values.append(value)
            one.read_us.append(read_us)
            one.bytes_a_trade = topic_sizes(stack.data_dir / "kafka" / "data")[topic] / len(messages)
        _delete(stack, topic)
    return _table(
        f"Sending {len(messages):,} trades; *µs* is processor time for each:",
        ("how", "trades/s", "client, µs", "broker, µs", "read back, µs", "bytes a trade"),
        (
            (
                name,
                f"{_median(one.rates):,.0f}",
                _us(one.client_us),
                _us(one.broker_us),
                _us(one.read_us),
                f"{one.bytes_a_trade:.0f}",
            )
            for name, one in found.items()
        ),
    )


def _reading(stack: EmbeddedStack) -> Table:
    """Read the day in every variant."""
    found = {name: Read() for name in READING}
    for turn, name in _turns(READING):
        read = _read(stack, TRADES_TOPIC, DAY.trades, READING[name])
        if turn:
            one = found[name]
            for values, value in zip((one.rates, one.client_us, one.broker_us), read, strict=True):
                values.append(value)
    return _table(
        f"Reading {DAY.trades:,} trades:",
        ("how", "trades/s", "client, µs", "broker, µs"),
        (
            (name, f"{_median(one.rates):,.0f}", _us(one.client_us), _us(one.broker_us))
            for name, one in found.items()
        ),
    )


def _committing(bench: Bench) -> Table:
    """Run the detector on two days in every variant."""
    rates: dict[str, list[float]] = {name: [] for name in COMMITTING}
    costs: dict[str, list[float]] = {name: [] for name in COMMITTING}
    for turn, name in _turns(COMMITTING):
        speed = bench.detector([sys.executable, "-c", _DETECT.format(change=COMMITTING[name])])
        if turn:
            rates[name].append(speed.trades_per_s)
            costs[name].append(speed.processor_s)
    return _table(
        "Detecting and committing:",
        ("how", "trades/s", "processor s a million"),
        ((name, f"{_median(rates[name]):,.0f}", f"{_median(costs[name]):.2f}") for name in COMMITTING),
    )


def _sharing(bench: Bench) -> Table:
    """Run one detector and several, on two days more."""
    for days in (2, 3):
        bench.publish(replace(DAY, date=DAY.date + dt.timedelta(days=days), trades=2 * DAY.trades))
    rates: dict[str, list[float]] = {name: [] for name in SHARING}
    for turn, name in _turns(SHARING):
        rate = bench.detectors(SHARING[name])
        if turn:
            rates[name].append(rate)
    return _table(
        "Detectors of one group:",
        ("how", "trades/s"),
        ((name, f"{_median(rates[name]):,.0f}") for name in SHARING),
    )


_DETECT = """
import sys
from services.detector.live import service
{change}
from cli.main import main
sys.argv = ["tapewatch", "detect"]
main()
"""


def _turns(variants: Mapping[str, object]) -> Iterable[tuple[int, str]]:
    """Yield turns and names; turn 0 warms up."""
    for turn in range(TURNS + 1):
        note(f"choices: turn {turn} of {TURNS}, {len(variants)} variants")
        for name in list(variants) if turn % 2 == 0 else reversed(list(variants)):
            yield turn, name


def _ready_messages() -> list[Message]:
    source = open_source(generated_day(DAY))
    return [
        {"key": symbol.encode(), "value": value}
        for chunk in source.chunks()
        for symbol, value in zip(chunk.trades["symbol"], source.to_json(chunk.trades), strict=True)
    ]


def _create(stack: EmbeddedStack, topic: str) -> None:
    admin = new_admin(stack.kafka_connection)
    for future in admin.create_topics([NewTopic(topic, PARTITIONS)]).values():
        future.result(TIMEOUT_S)


def _delete(stack: EmbeddedStack, topic: str) -> None:
    admin = new_admin(stack.kafka_connection)
    for future in admin.delete_topics([topic]).values():
        future.result(TIMEOUT_S)


def _send(
    stack: EmbeddedStack, topic: str, messages: list[Message], settings: Mapping[str, object]
) -> tuple[float, float, float]:
    """Return trades a second, and the client's and the broker's processor time for a trade, in µs."""
    producer = new_producer(stack.kafka_connection, **{"transactional.id": topic}, **settings)
    producer.init_transactions(TIMEOUT_S)

    def send() -> None:
        for first in range(0, len(messages), COMMIT_ROWS):
            part = [dict(message) for message in messages[first : first + COMMIT_ROWS]]
            producer.begin_transaction()
            if producer.produce_batch(topic, part) < len(part):
                raise RuntimeError("the client's queue is full")
            producer.commit_transaction(TIMEOUT_S)

    return _timed(stack, len(messages), send)


def _read(
    stack: EmbeddedStack, topic: str, trades: int, settings: Mapping[str, object]
) -> tuple[float, float, float]:
    """Return the same of reading a topic."""
    consumer = new_consumer(stack.kafka_connection, f"choices-{time.monotonic_ns()}", **settings)
    consumer.subscribe([topic])
    left = trades - len(_some(consumer))
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


def _timed(stack: EmbeddedStack, trades: int, work: Callable[[], None]) -> tuple[float, float, float]:
    broker = stack.kafka.pid
    if broker is None:
        raise RuntimeError("Kafka does not run")
    began_s, own_s, broker_s = time.perf_counter(), time.process_time(), processor_s(broker)
    work()
    own_us = (time.process_time() - own_s) / trades * 1e6
    broker_us = (processor_s(broker) - broker_s) / trades * 1e6
    return trades / (time.perf_counter() - began_s), own_us, broker_us


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    return Table(title, columns, tuple(rows), frozenset({columns[0]}))


def _median(values: list[float]) -> float:
    return statistics.median(values)


def _us(values: list[float]) -> str:
    return f"{statistics.median(values):.2f}"
