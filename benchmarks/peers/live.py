"""An engine beside a feed that never stops: its start, its delay, and what is left of its output after kills.

Trades come at an even rate from before the engine's start until the last kill is over. The delay is measured
as in `benchmarks/latency.py`: from the time stamp that the broker gave a trade until a consumer in this
process has read its result, committed. Then the engine is killed again and again and started again at
once; so it is when it ends by itself. At the end its output is compared with what the whole input asks for.
"""

import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
from confluent_kafka import Consumer, TopicPartition

from benchmarks.peers.base import Job, Peer, Purpose
from benchmarks.peers.comparing import compare, large_trades
from benchmarks.peers.feeder import LARGE_SHARES
from benchmarks.peers.figures import Delay, Survival
from benchmarks.peers.program import Program
from benchmarks.surroundings import OUT, PROJECT, environment, note
from benchmarks.topics import POLL_S, Commits, ends_of_records, is_readable, read_topic, records_of
from services.common.errors import TapewatchError
from services.common.kafka.clients import READS_ONLY, new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers
from services.contracts.topics import TRADES_TOPIC

RATE = 5_000.0
START_TIMEOUT_S = 120.0
FEED_TIMEOUT_S = 60.0
TAIL_S = 2.0
"""An engine that keeps up has published the last trade that is timed by then, before the first kill."""

LEAST_RESULTS = 20
CATCH_UP_S = 300.0
CHECK_S = 0.2
SEED = 1


@dataclass(frozen=True)
class Plan:
    """How long each part takes.

    Parameters
    ----------
    warm_up_s
        From the first result until delays count, in seconds.
    timed_s
        For how long they count.
    kills
        How often the engine is killed.
    kills_s
        Time for all kills together; one comes at some moment of each share of it.
    """

    warm_up_s: float = 10.0
    timed_s: float = 30.0
    kills: int = 20
    kills_s: float = 120.0

    def kill_times_s(self) -> list[float]:
        """Return when the kills come, in seconds from the beginning of their time; the same each time."""
        generator = random.Random(SEED)  # noqa: S311 - for moments, not for secrets
        share_s = self.kills_s / self.kills if self.kills else 0.0
        return [(number + generator.random()) * share_s for number in range(self.kills)]


def measure(peer: Peer, bootstrap: str, folder: Path, plan: Plan) -> tuple[Delay, Survival]:
    """Measure an engine on a Kafka that has Tapewatch's topics and nothing in them.

    Raises
    ------
    TapewatchError
        The engine or the feed did not run.
    """
    group, sink = peer.places("live")
    job = Job(bootstrap, group, TRADES_TOPIC, sink, LARGE_SHARES - 1, folder, Purpose.LIVE)
    peer.clear(new_admin(KafkaConnection(bootstrap)), job)
    log_file = OUT / f"{type(peer).__name__.lower()}-live.log"
    log_file.unlink(missing_ok=True)

    def start() -> Program:
        return peer.start(job, log_file)

    with Feed(bootstrap) as feed, Results(bootstrap, sink) as results:
        program = start()
        try:
            start_s = _awaited(program, results) - program.started_s
            time.sleep(plan.warm_up_s)
            begins_s, processor_s = time.time(), program.processor_s
            time.sleep(plan.timed_s)
            ends_s, processor_s = time.time(), program.processor_s - processor_s
            time.sleep(TAIL_S)
            program = _killed(program, start, plan)
            feed.stop()
            caught_up_s, program = _caught_up(program, start, job)
        finally:
            program.stop()
    large = large_trades(records_of(bootstrap, TRADES_TOPIC), job.threshold_shares)
    appended_s = {trade_id(record.value()): record.timestamp()[1] / 1000 for record in large}
    delays = delays_s(results.seen, appended_s, begins_s, ends_s)
    if len(delays) < LEAST_RESULTS:
        raise TapewatchError(f"Only {len(delays)} results came in time.", f"See its log, {log_file}.")
    p50_s, p99_s = statistics.median(delays), statistics.quantiles(delays, n=100)[98]
    found = peer.rows(read_topic(bootstrap, sink))
    wanted = peer.wanted(job, large, log_file)
    note(f"peers: {peer.name}: {len(found):,} rows of {len(wanted):,}, {len(delays):,} delays")
    return (
        Delay(start_s, p50_s, p99_s, cores=processor_s / (ends_s - begins_s)),
        Survival(plan.kills, compare(wanted, found), caught_up_s),
    )


def _awaited(program: Program, results: "Results") -> float:
    """Return when the first result came, by `time.perf_counter`."""
    while results.first_s is None:
        if not program.is_running or time.perf_counter() - program.started_s > START_TIMEOUT_S:
            raise TapewatchError(
                f"It published nothing within {START_TIMEOUT_S:.0f} s, or ended.",
                f"See its log, {program.log_file}.",
            )
        time.sleep(POLL_S)
    return results.first_s


def _killed(program: Program, start: Callable[[], Program], plan: Plan) -> Program:
    """Kill a program as planned, each time starting it again; return the one that runs at the end."""
    began_s = time.monotonic()
    for at_s in [*plan.kill_times_s(), plan.kills_s]:
        while (left_s := began_s + at_s - time.monotonic()) > 0:
            time.sleep(min(left_s, CHECK_S))
            program = _running(program, start)
        if at_s < plan.kills_s:
            program.kill()
            program = start()
    return program


def _running(program: Program, start: Callable[[], Program]) -> Program:
    """Return the program, or one started in its place if it has ended, as whoever supervises it would."""
    if program.is_running:
        return program
    program.kill()
    return start()


def _caught_up(program: Program, start: Callable[[], Program], job: Job) -> tuple[float | None, Program]:
    """Wait until all is worked off; return how long that took, None if too long, and what runs then."""
    fed_s = time.monotonic()
    ends = ends_of_records(job.bootstrap, job.source)
    with Commits(job.bootstrap, job.source, job.group, ends) as commits:
        while time.monotonic() - fed_s < CATCH_UP_S:
            if commits.ask().offsets == commits.total and is_readable(job.bootstrap, job.sink):
                return time.monotonic() - fed_s, program
            time.sleep(CHECK_S)
            program = _running(program, start)
    return None, program


class Feed:
    """A process that publishes trades; a context manager.

    Parameters
    ----------
    bootstrap
        Bootstrap servers of Kafka.
    """

    def __init__(self, bootstrap: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peers.feeder", bootstrap, str(RATE)],
            cwd=PROJECT,
            env=environment(bootstrap),
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        """Let it publish what it has taken, and end.

        Raises
        ------
        TapewatchError
            It failed.
        """
        self._process.terminate()
        said, _ = self._process.communicate(timeout=FEED_TIMEOUT_S)
        if self._process.returncode != 0:
            raise TapewatchError(
                "The feed failed.", "Run the benchmark again on a machine that is less busy."
            )
        note(f"peers: {int(said):,} trades were fed")


class Results:
    """Reads an output topic as it grows; a context manager.

    Parameters
    ----------
    bootstrap, topic
        Kafka, and the topic, which is empty.

    Attributes
    ----------
    first_s
        When the first result could be read, by `time.perf_counter`; None before.
    seen
        When each could be read, in seconds since 1970, and the result.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        config = {"fetch.wait.max.ms": 10}
        self._consumer: Consumer = new_consumer(KafkaConnection(bootstrap), READS_ONLY, **config)
        numbers = partition_numbers(self._consumer, topic)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in numbers])
        self.seen: list[tuple[float, bytes]] = []
        self._is_over = threading.Event()
        self._reader = threading.Thread(target=self._read, name="results", daemon=True)
        self.first_s: float | None = None

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._reader.join()
        self._consumer.close()

    def _read(self) -> None:
        while not self._is_over.is_set():
            message = self._consumer.poll(0.1)
            now_s = time.time()
            if message is None or message.error() is not None:
                continue
            if self.first_s is None:
                self.first_s = time.perf_counter()
            self.seen.append((now_s, message.value() or b"{}"))


def trade_id(value: bytes | None) -> str:
    """Return the id of a trade, or of the trade that a result is about; empty without one."""
    fields = orjson.loads(value or b"{}")
    return str(fields.get("trade_id", ""))


def delays_s(
    seen: Sequence[tuple[float, bytes]], appended_s: Mapping[str, float], begins_s: float, ends_s: float
) -> list[float]:
    """Return by how much the first results of trades appended between two times came later than these.

    Parameters
    ----------
    seen
        When each result could be read, in seconds since 1970, and the result.
    appended_s
        When the broker appended each trade that has to have a result, in seconds since 1970, by its id.
    begins_s, ends_s
        The times, in seconds since 1970.

    Returns
    -------
    list of float
        Delays in seconds, to the broker's millisecond.
    """
    first_s: dict[str, float] = {}
    for at_s, value in seen:
        first_s.setdefault(trade_id(value), at_s)
    return [
        at_s - appended_s[name]
        for name, at_s in first_s.items()
        if begins_s <= appended_s.get(name, ends_s) < ends_s
    ]
