"""Live feeds: the processor time that a print costs the feed's process, and the time from frame to anomaly.

`tapewatch feed` reads a venue that runs here (`benchmarks/feed_venue.py`) and publishes to the embedded
Kafka, with transactions, as in production. Its processor time, all of its threads, is taken from the
operating system when it has connected and when all prints are committed; so its start is not in it. The
peer, `benchmarks/feed_reader.py`, reads the same frames and counts the prints in them. Both go in alternating
pairs: the figures are medians, the ratio is the median of the pairs' ratios.

For the latency `tapewatch detect` runs beside it. Each print is stamped when its frame is sent; a consumer in
this process takes the time when an anomaly can be read from `anomalies`, committed. All of them share the
machine's cores with Kafka and the venue.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from benchmarks.surroundings import PROJECT, command, environment, note, processor_s, running_kafka
from infra.embedded.child_process import start_child
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_consumer
from services.common.kafka.connection import KafkaConnection
from services.contracts.topics import ANOMALIES_TOPIC

PAIRS = 3
COST_S = 10.0
SECONDS = 20.0
WARM_UP_S = 5.0
START_TIMEOUT_S = 60.0
SETTLE_S = 3.0
PROFILE = """
base: crypto
detectors:
  off_market_price: {join_s: 0}
  mixed_prices: null
"""
"""Each wrong price is an anomaly of its own, however soon it comes after another."""


@dataclass(frozen=True)
class Load:
    """What a venue sends.

    Parameters
    ----------
    feed, layout
        The feed and the venue's layout.
    rate
        Prints a second.
    per_frame
        Prints a frame.
    target_us
        Processor time a print that is asked for, in microseconds.
    symbols
        Others than another run's of the same feed, which has their places.
    """

    feed: str
    layout: str
    rate: int
    per_frame: int
    target_us: int
    symbols: str = ""

    def of_run(self, run: int) -> "Load":
        """Return the same with symbols that no other run has."""
        return replace(
            self, symbols=",".join(f"{letters}{run}-USD" for letters in ("AA", "BB", "CC", "DD", "EE"))
        )


COSTS = (Load("coinbase", "coinbase", 5_000, 1, 50), Load("alpaca:sip", "alpaca", 20_000, 200, 20))
LATENCY = COSTS[0].of_run(0)


def measure() -> list[Row]:
    """Measure both."""
    with running_kafka() as bootstrap, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = [_cost(load, bootstrap, folder) for load in COSTS]
        return [*rows, *_latency(LATENCY, bootstrap, folder)]


def _cost(load: Load, bootstrap: str, folder: Path) -> Row:
    ours, plain = [], []
    for pair in range(1, PAIRS + 1):
        run = load.of_run(pair)
        with running_venue(run, COST_S) as venue, running_feed(run, venue, bootstrap, folder) as feed:
            ours.append(_us_a_print(feed, venue))
        with running_venue(run, COST_S) as venue, _reader(run, venue, folder) as reader:
            plain.append(_us_a_print(reader, venue))
        figures = f"{ours[-1]:.1f} µs a print, the peer {plain[-1]:.1f}"
        note(f"feed: {load.feed}, pair {pair} of {PAIRS}: {figures}")
    return Row(
        f"feed: {load.feed}, {load.rate:,} prints a second, {load.per_frame} a frame",
        statistics.median(ours),
        "µs of processor a print",
        f"websockets, JSON and a count: {statistics.median(plain):.3g}",
        statistics.median(a / b for a, b in zip(ours, plain, strict=True)),
        f"{load.target_us} µs at most",
    )


def _us_a_print(reader: "subprocess.Popen[bytes]", venue: "Venue") -> float:
    """Return the processor time of a connected process for all that the venue sends, by prints."""
    before_s = processor_s(reader.pid)
    sent = int(json.loads(venue.line())["sent"])
    time.sleep(SETTLE_S)
    return (processor_s(reader.pid) - before_s) / sent * 1e6


def _latency(load: Load, bootstrap: str, folder: Path) -> list[Row]:
    profile = folder / "apart.yaml"
    profile.write_text(PROFILE)
    detector = start_child(
        command("detect", "--profile", str(profile)),
        log_file=folder / "detector.log",
        env=environment(bootstrap),
    )
    try:
        wait_for(folder / "detector.log", '"caught up"')
        with running_venue(load, WARM_UP_S + SECONDS) as venue, running_feed(load, venue, bootstrap, folder):
            begins_s = time.time() + WARM_UP_S
            seconds = _anomaly_delays(bootstrap, begins_s, begins_s + SECONDS)
    finally:
        detector.terminate()
        detector.wait(30)
    if len(seconds) < 20:
        raise TapewatchError(f"Only {len(seconds)} anomalies came.", f"See {folder / 'detector.log'}.")
    p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    note(f"feed: {len(seconds)} anomalies, {1000 * p50:.0f} ms and {1000 * p99:.0f} ms")
    name = f"feed: a venue's frame to its anomaly at {load.rate:,} prints a second"
    return [
        Row(f"{name}, median", 1000 * p50, "ms"),
        Row(f"{name}, 99 of 100 within", 1000 * p99, "ms", target="300 at most"),
    ]


def _anomaly_delays(bootstrap: str, begins_s: float, ends_s: float) -> list[float]:
    """Return by how much anomalies of prints sent between two times were later than these, in seconds."""
    consumer = new_consumer(
        KafkaConnection(bootstrap), "benchmark-latency", **{"auto.offset.reset": "latest"}
    )
    delays = []
    try:
        consumer.subscribe([ANOMALIES_TOPIC])
        while time.time() < ends_s + 1.0:
            message = consumer.poll(0.1)
            now_s = time.time()
            if message is None or message.error() is not None or message.value() is None:
                continue
            anomaly: dict[str, Any] = json.loads(message.value() or b"{}")
            if anomaly.get("revision", 1) > 1:
                continue  # of a print that was sent long before
            sent_s = datetime.fromisoformat(anomaly["@timestamp"][:26] + "+00:00").timestamp()
            if begins_s <= sent_s < ends_s:
                delays.append(now_s - sent_s)
    finally:
        consumer.close()
    return delays


class Venue:
    """A running venue."""

    def __init__(self, load: Load, seconds: float) -> None:
        arguments = [load.layout, load.symbols, str(load.rate), str(load.per_frame), str(seconds)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.feed_venue", *arguments],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(json.loads(self.line())["port"])

    def line(self) -> str:
        """Return its next line of output."""
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe
        return self.process.stdout.readline()


@contextmanager
def running_venue(load: Load, seconds: float) -> Iterator[Venue]:
    """Run a venue that sends a load for so long."""
    venue = Venue(load, seconds)
    try:
        yield venue
    finally:
        venue.process.terminate()
        venue.process.wait()


@contextmanager
def running_feed(
    load: Load, venue: Venue, bootstrap: str, folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the feed, from when it has connected."""
    key = folder / "key"
    key.write_text("benchmark")
    variables = {f"TAPEWATCH_ALPACA_{part}_FILE": str(key) for part in ("KEY", "SECRET")}
    log = folder / f"feed-{time.monotonic_ns()}.log"
    address = f"127.0.0.1:{venue.port}"
    urls = ("--url", f"ws://{address}", "--rest-url", f"http://{address}")
    feed = start_child(
        command("feed", load.feed, "--symbols", load.symbols, *urls),
        log_file=log,
        env=environment(bootstrap) | variables,
    )
    try:
        wait_for(log, '"connected"')
        yield feed
    finally:
        feed.terminate()
        feed.wait(30)


@contextmanager
def running_service(
    arguments: tuple[str, ...], variables: dict[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command of Tapewatch that reads topics, from when it has its partitions."""
    process = start_child(command(*arguments), log_file=log, env=variables)
    try:
        wait_for(log, '"assigned"')
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _reader(load: Load, venue: Venue, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the peer, from when it has connected."""
    log = folder / f"reader-{time.monotonic_ns()}.log"
    module = [sys.executable, "-m", "benchmarks.feed_reader"]
    reader = start_child([*module, f"ws://127.0.0.1:{venue.port}", load.layout], log_file=log, cwd=PROJECT)
    try:
        wait_for(log, "connected")
        yield reader
    finally:
        reader.terminate()
        reader.wait(30)


def wait_for(log: Path, text: str) -> None:
    """Wait until a process has logged a text; raises TapewatchError if it does not."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not log.exists() or text not in log.read_text():
        if time.monotonic() > deadline_s:
            said = log.read_text()[-500:] if log.exists() else "nothing"
            raise TapewatchError(f"A process has not started: {said}", "Fix the error that it reports.")
        time.sleep(0.05)
