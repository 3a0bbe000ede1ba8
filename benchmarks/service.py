"""The running detector on Kafka, against Quix Streams that applies only a threshold.

Both read the same topic `trades` (a generated day of many symbols, published once) on the same embedded
Kafka, from its beginning to its end, one after the other in alternating pairs. Each has a consumer group
without offsets, its own empty output topic, transactions on, and one process:

- `tapewatch detect` as in production: decodes each trade, applies every detector of the default profile,
  publishes anomalies, commits each batch in a transaction;
- `benchmarks/peers/quix/threshold.py`: JSON in, `size > 20000`, JSON out, with
  `processing_guarantee="exactly-once"`. It commits every 100,000 messages. On two cores that was its fastest
  setting (one run each, timed from joining the group): 113,000 trades a second, against 92,000 when it
  commits every 10,000, and 99,000 with its default of 5 seconds, whose last commit comes late. The number of
  trades is a multiple of 100,000, so no remainder waits for the clock.

The same is timed for both, from outside: a reader polls the group's committed offsets every
20 ms. The clock starts when the first commit is seen, and stops when the last one is (every partition
committed up to its last trade). The rate is the trades committed in between by the time in between. So the
start of the process, joining the group, and the first transaction are not counted for either; every later
commit is. A commit is seen up to 20 ms late at both ends. Each is ended by SIGTERM once all is committed.

Before the first pair both read a shorter day once, unmeasured: the broker and the caches of compiled code
are then warm for both. After each run its output is counted: Quix Streams has to have published each trade
above the threshold once, the detector some anomalies.

The processor time is that of the process, all of its threads, in the same time, by the trades of that time.

The figures are medians of the runs, the ratios are the medians of the pairs' ratios.
"""

import datetime as dt
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benchmarks.feed import running_service
from benchmarks.peers.base import Job, Peer, Purpose
from benchmarks.peers.quix.peer import COMMIT_EVERY, QuixStreams
from benchmarks.rows import Row
from benchmarks.surroundings import (
    OUT,
    PROJECT,
    command,
    environment,
    generated_day,
    note,
    processor_s,
    run_command,
    running_kafka,
)
from benchmarks.topics import POLL_S, Commits, Seen, ends_of_records, forget_detector, read_topic
from infra.embedded.child_process import start_child
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.common.kafka.connection import KafkaConnection
from services.contracts.components import DETECTOR
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

PAIRS = 3
THRESHOLD_SHARES = 20_000
WARM_UP = DayConfig(date=dt.date(2026, 3, 2), trades=2 * COMMIT_EVERY, symbols=24)
MEASURED = DayConfig(date=dt.date(2026, 3, 3), trades=6 * COMMIT_EVERY, symbols=24)
RUN_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
MIDDLE_OF_WORK = (0.35, 0.9)


def measure() -> list[Row]:
    """Measure the pairs."""
    quix = QuixStreams()
    quix.set_up()
    peers: list[Speed] = []
    ours: list[Speed] = []
    with running_kafka() as bootstrap, tempfile.TemporaryDirectory() as scratch:
        bench = Bench(bootstrap)
        bench.publish(WARM_UP)
        note("service: warms up")
        bench.peer(quix, Path(scratch))
        bench.detector()
        bench.publish(MEASURED)
        for pair in range(1, PAIRS + 1):
            peers.append(bench.peer(quix, Path(scratch)))
            ours.append(bench.detector())
            note(f"service: pair {pair} of {PAIRS}: Quix Streams {peers[-1]}, detector {ours[-1]}")
    pairs = list(zip(ours, peers, strict=True))
    peer = f"{quix.name}, a threshold, exactly once"
    return [
        Row(
            "service: detect on Kafka, transactions on",
            statistics.median(speed.trades_per_s for speed in ours),
            "trades/s",
            f"{peer}: {statistics.median(speed.trades_per_s for speed in peers):,.0f}",
            statistics.median(a.trades_per_s / b.trades_per_s for a, b in pairs),
            "1.1 at least",
        ),
        Row(
            "service: the detector's processor for a million trades",
            statistics.median(speed.processor_s for speed in ours),
            "s of processor",
            f"{peer}: {statistics.median(speed.processor_s for speed in peers):.3g}",
            statistics.median(a.processor_s / b.processor_s for a, b in pairs),
            "4.5 s at most",
        ),
    ]


@dataclass(frozen=True)
class Speed:
    """How fast a program works off a full topic.

    Parameters
    ----------
    trades_per_s
        Trades a second.
    processor_s
        Processor time for a million trades, in seconds.
    """

    trades_per_s: float
    processor_s: float

    def __str__(self) -> str:
        return f"{self.trades_per_s:,.0f} trades/s and {self.processor_s:.2f} s of processor a million"


class Bench:
    """One Kafka with the trades in it, and the programs that read them.

    Parameters
    ----------
    bootstrap
        Where that Kafka is.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._admin: AdminClient = new_admin(KafkaConnection(bootstrap))
        self._env = environment(bootstrap)
        self._runs = 0
        self._trades = self._large_trades = 0
        self._ends: dict[int, int] = {}

    def publish(self, config: DayConfig) -> None:
        """Publish a generated day after the existing trades."""
        day = generated_day(config)
        note(f"service: publishes {config.trades:,} trades of {config.symbols} symbols")
        run_command(self._env, RUN_TIMEOUT_S, "produce", str(day))
        for chunk in open_source(day).chunks():
            self._trades += len(chunk.trades)
            self._large_trades += int((chunk.trades["size"] > THRESHOLD_SHARES).sum())
        if self._trades % COMMIT_EVERY:
            raise RuntimeError(f"{self._trades} trades would leave a remainder of Quix Streams' commits")
        self._ends = ends_of_records(self._bootstrap, TRADES_TOPIC)

    def peer(self, peer: Peer, scratch: Path) -> Speed:
        """Measure an engine that publishes trades above the threshold; see the module."""
        self._runs += 1
        group, topic = peer.places(f"threshold-{self._runs}")
        folder = scratch / group
        job = Job(self._bootstrap, group, TRADES_TOPIC, topic, THRESHOLD_SHARES, folder, Purpose.RATE)
        peer.clear(self._admin, job)
        command = peer.command(job)
        speed = self._speed(list(command.arguments), group, command.env)
        published = len(read_topic(self._bootstrap, topic))
        if published != self._large_trades:
            raise RuntimeError(f"{peer.name} published {published} trades instead of {self._large_trades}")
        return speed

    def detector(self, arguments: list[str] | None = None) -> Speed:
        """Measure `tapewatch detect`, or of another detector; see the module."""
        self._runs += 1
        forget_detector(self._admin)
        speed = self._speed(arguments or command("detect"), DETECTOR.group, self._env)
        if not read_topic(self._bootstrap, ANOMALIES_TOPIC):
            raise RuntimeError("the detector published no anomaly")
        return speed

    def detectors(self, count: int) -> float:
        """Return the trades a second of several detectors, in the middle of their work.

        Each joins the group when it has started, so the first and the last trades tell little.
        """
        self._runs += 1
        forget_detector(self._admin)
        with (
            Commits(self._bootstrap, TRADES_TOPIC, DETECTOR.group, self._ends) as commits,
            ExitStack() as started,
        ):
            for number in range(count):
                variables = self._env | {
                    "TAPEWATCH_INSTANCE": f"{count}-{number}",
                    "TAPEWATCH_METRICS_PORT": "0",
                }
                log = OUT / f"detector-{number}.log"
                log.unlink(missing_ok=True)
                started.enter_context(running_service(("detect",), variables, log))
            deadline_s = time.perf_counter() + RUN_TIMEOUT_S
            seen = [commits.ask()]
            while seen[-1].offsets < commits.total:
                if time.perf_counter() > deadline_s:
                    raise TapewatchError(
                        "The detectors did not commit all trades.", f"See the logs in {OUT}."
                    )
                time.sleep(POLL_S)
                seen.append(commits.ask())
        first, last = (
            next(one for one in seen if one.offsets >= share * commits.total) for share in MIDDLE_OF_WORK
        )
        return (last.offsets - first.offsets) / (last.at_s - first.at_s)

    def _speed(self, arguments: list[str], group: str, env: Mapping[str, str]) -> Speed:
        """Run a program until its group has committed everything."""
        log_file = OUT / f"{group}.log"
        log_file.unlink(missing_ok=True)
        with Commits(self._bootstrap, TRADES_TOPIC, group, self._ends) as commits:
            if left := commits.ask().offsets:
                raise RuntimeError(f"the group {group} has committed {left} offsets already")
            program = start_child(arguments, log_file=log_file, env=env, cwd=PROJECT)
            try:
                (first, first_s), (last, last_s) = _watched(commits, program, arguments[0], log_file)
            finally:
                program.terminate()
                try:
                    program.wait(STOP_TIMEOUT_S)
                except subprocess.TimeoutExpired:
                    program.kill()
                    program.wait()
        # The same as counting trades, but for the few offsets that a producer's transactions take.
        trades = (last.offsets - first.offsets) / commits.total * self._trades
        return Speed(trades / (last.at_s - first.at_s), (last_s - first_s) / trades * 1e6)


def _watched(
    commits: Commits, program: "subprocess.Popen[bytes]", name: str, log_file: Path
) -> tuple[tuple[Seen, float], tuple[Seen, float]]:
    """Return what was seen at the first and at the last commit, and the program's processor time by then."""
    deadline_s = time.perf_counter() + RUN_TIMEOUT_S
    first: tuple[Seen, float] | None = None
    while time.perf_counter() < deadline_s and program.poll() is None:
        seen = commits.ask()
        if seen.offsets and first is None:
            first = seen, processor_s(program.pid)
        if first and seen.offsets == commits.total:
            if seen is first[0]:
                raise RuntimeError("everything was committed at once: too few trades to time")
            return first, (seen, processor_s(program.pid))
        time.sleep(POLL_S)
    raise TapewatchError(
        f"{name} did not commit all trades within {RUN_TIMEOUT_S:.0f} s, or ended.",
        f"See its log, {log_file}.",
    )
