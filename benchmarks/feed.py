"""Live feeds: the processor time that a print costs the feed's process, and the time from frame to anomaly.

`tapewatch feed` reads a venue that runs here (`benchmarks/feed_venue.py`) and publishes to the embedded
Kafka, with transactions, as in production. Its processor time, all of its threads, is taken from the
operating system when it has connected and when all prints are committed; so its start is not in it.

For the latency `tapewatch detect` runs beside it. Each print is stamped when its frame is sent; a consumer in
this process takes the time when an anomaly can be read from `anomalies`, committed. All of them share the
machine's cores with Kafka and the venue.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.rows import Row
from benchmarks.surroundings import PROJECT, command, environment, note, running_kafka
from infra.embedded.child_process import start_child
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_consumer
from services.common.kafka.connection import KafkaConnection
from services.contracts.topics import ANOMALIES_TOPIC

SYMBOLS = "AAA-USD,BBB-USD,CCC-USD,DDD-USD,EEE-USD"
SECONDS = 20.0
WARM_UP_S = 5.0
START_TIMEOUT_S = 60.0
SETTLE_S = 3.0
PROFILE = "crypto"


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
    """

    feed: str
    layout: str
    rate: int
    per_frame: int
    target_us: int


LOADS = (Load("coinbase", "coinbase", 5_000, 1, 50), Load("alpaca:sip", "alpaca", 20_000, 200, 20))


def measure() -> list[Row]:
    """Measure both."""
    with running_kafka() as bootstrap, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = [_cost(load, bootstrap, folder) for load in LOADS]
        return [*rows, *_latency(LOADS[0], bootstrap, folder)]


def _cost(load: Load, bootstrap: str, folder: Path) -> Row:
    with _venue(load, SECONDS) as venue, _feed(load, venue, bootstrap, folder) as feed:
        before_s = _processor_s(feed.pid)
        sent = json.loads(venue.line())["sent"]
        time.sleep(SETTLE_S)
        spent_s = _processor_s(feed.pid) - before_s
    figure = spent_s / sent * 1e6
    note(f"feed: {load.feed} {figure:.1f} µs a print")
    name = f"feed: {load.feed}, {load.rate:,} prints a second, {load.per_frame} a frame"
    return Row(name, figure, "µs of processor a print", target=f"{load.target_us} at most")


def _latency(load: Load, bootstrap: str, folder: Path) -> list[Row]:
    detector = start_child(
        command("detect", "--profile", PROFILE), log_file=folder / "detector.log", env=environment(bootstrap)
    )
    try:
        _wait_for(folder / "detector.log", '"assigned"')
        with _venue(load, WARM_UP_S + SECONDS) as venue, _feed(load, venue, bootstrap, folder):
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
            sent_s = datetime.fromisoformat(anomaly["@timestamp"][:26] + "+00:00").timestamp()
            if begins_s <= sent_s < ends_s:
                delays.append(now_s - sent_s)
    finally:
        consumer.close()
    return delays


class _Venue:
    """A running venue."""

    def __init__(self, load: Load, seconds: float) -> None:
        arguments = [load.layout, str(load.rate), str(load.per_frame), str(seconds)]
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
def _venue(load: Load, seconds: float) -> Iterator[_Venue]:
    venue = _Venue(load, seconds)
    try:
        yield venue
    finally:
        venue.process.terminate()
        venue.process.wait()


@contextmanager
def _feed(load: Load, venue: _Venue, bootstrap: str, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the feed, from when it has connected."""
    key = folder / "key"
    key.write_text("benchmark")
    variables = {f"TAPEWATCH_ALPACA_{part}_FILE": str(key) for part in ("KEY", "SECRET")}
    log = folder / f"feed-{time.monotonic_ns()}.log"
    address = f"127.0.0.1:{venue.port}"
    urls = ("--url", f"ws://{address}", "--rest-url", f"http://{address}")
    feed = start_child(
        command("feed", load.feed, "--symbols", SYMBOLS, *urls),
        log_file=log,
        env=environment(bootstrap) | variables,
    )
    try:
        _wait_for(log, '"connected"')
        yield feed
    finally:
        feed.terminate()
        feed.wait(30)


def _wait_for(log: Path, text: str) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not log.exists() or text not in log.read_text():
        if time.monotonic() > deadline_s:
            said = log.read_text()[-500:] if log.exists() else "nothing"
            raise TapewatchError(f"A process has not started: {said}", "Fix the error that it reports.")
        time.sleep(0.05)


def _processor_s(pid: int) -> float:
    """Return the processor time of a process, all of its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
