"""A whole market at once: thousands of symbols, a few prints each for most, and a hot one beside them.

The trades are a generated day of one symbol, dealt out to the symbols as a market's are: the n-th symbol has
an n-th of what the first one has. In a second tape each trade goes to one more symbol with a chance of a
half. `tapewatch produce` publishes most of a tape; then `tapewatch detect` works it off as in production. Its
rate is that between the first and the last commit that are seen, its memory what is its own once all is
committed. It is killed then; at the same moment it is started again, and the rest of the tape is published.
The times are from the kill to the first commit, to the first anomaly of the rest, and until all is committed.
Kafka notices a killed member after six seconds, which are part of them.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from confluent_kafka import Consumer, TopicPartition

from benchmarks.detector import dealt
from benchmarks.feed import running_service
from benchmarks.rows import Table
from benchmarks.scale.sizes import Size
from benchmarks.scale.stream import own_memory_mb
from benchmarks.surroundings import (
    PROJECT,
    command,
    environment,
    note,
    processor_s,
    run_command,
    running_kafka,
)
from benchmarks.topics import POLL_S, REQUEST_TIMEOUT_S, Commits, Seen, ends_of_records, read_topic
from infra.embedded.child_process import start_child
from services.common.errors import TapewatchError
from services.common.kafka.clients import READS_ONLY, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers
from services.contracts.components import DETECTOR
from services.contracts.topics import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC, TRADES_TOPIC
from services.detector.live.checkpoint import PARTITION_KEY
from services.sources.synthetic.day import FIRST_INSTRUMENT_ID, TIME_FORMAT, DayConfig, generate_day, readable

ZIPF = 1.0
HOT = "HOT"
BEFORE_THE_KILL = 0.8
TIMEOUT_S = 600.0
FAR = 2**62
"""Beyond any offset."""


@dataclass(frozen=True)
class Restart:
    """What a restart took, in seconds from the kill."""

    commit_s: float
    anomaly_s: float
    all_s: float


@dataclass(frozen=True)
class Saved:
    """The states in `detector-checkpoints`.

    Parameters
    ----------
    sessions
        How many there are.
    newest_bytes
        Of the newest one of each key.
    all_bytes
        Of all that are not compacted yet, which a restart reads.
    """

    sessions: int
    newest_bytes: int
    all_bytes: int


def measure(size: Size, folder: Path) -> list[Table]:
    """Measure the market, and the same with a hot symbol.

    Raises
    ------
    TapewatchError
        A process failed, or was too slow.
    """
    frame, _ = generate_day(DayConfig(trades=size.market_trades, symbols=1))
    numbers = market_of(len(frame), size.market_symbols)
    names = [f"S{number:05}" for number in range(size.market_symbols)]
    hot = np.where(np.random.default_rng(2).random(len(frame)) < 0.5, size.market_symbols, numbers)
    rows = []
    for title, tape in (
        (f"{size.market_symbols:,} symbols", with_symbols(frame, numbers, names)),
        ("the same and a hot one with half of all trades", with_symbols(frame, hot, [*names, HOT])),
    ):
        note(f"scale: {title}, {len(tape):,} trades")
        rows.append((title, *_measured(tape, folder)))
    return [market_table(rows, size)]


def market_table(rows: Sequence[tuple[str, ...]], size: Size) -> Table:
    """Return what each tape took, a row each."""
    return Table(
        f"A day of a market, {size.market_trades:,} trades",
        (
            *("tape", "symbols", "trades/s", "processor s a million", "memory, MB"),
            *("sessions saved", "their states, MB", "read at a restart, MB"),
            *("kill to first commit, s", "to first anomaly, s", "to all judged, s"),
        ),
        tuple(rows),
        frozenset({"tape"}),
    )


def market_of(trades: int, symbols: int) -> np.ndarray:
    """Return the number of each trade's symbol, shape (trades,); each symbol has one at least.

    Parameters
    ----------
    trades
        How many; more than there are symbols.
    symbols
        How many.
    """
    numbers = dealt(trades, symbols, ZIPF)
    places = np.random.default_rng(3).choice(trades, symbols, replace=False)
    numbers[places] = np.arange(symbols)
    return numbers


def with_symbols(frame: pl.DataFrame, numbers: np.ndarray, names: list[str]) -> pl.DataFrame:
    """Return a generated day's trades as trades of other symbols.

    Parameters
    ----------
    frame
        The trades, n of them.
    numbers
        Of each one's symbol, shape (n,).
    names
        Of the symbols.
    """
    return frame.with_columns(
        pl.Series(names).gather(numbers).alias("symbol"),
        pl.Series(FIRST_INSTRUMENT_ID + numbers, dtype=pl.UInt32).alias("instrument_id"),
    )


def _measured(tape: pl.DataFrame, folder: Path) -> tuple[str, ...]:
    cut = int(BEFORE_THE_KILL * len(tape))
    first, rest = folder / "first.csv", folder / "rest.csv"
    for path, trades in ((first, tape[:cut]), (rest, tape[cut:])):
        readable(trades).write_csv(path, datetime_format=TIME_FORMAT, float_precision=9)
    log = folder / "detector.log"
    with running_kafka() as bootstrap:
        env = environment(bootstrap) | {"TAPEWATCH_METRICS_PORT": "0"}
        run_command(env, TIMEOUT_S, "produce", str(first))
        ends = ends_of_records(bootstrap, TRADES_TOPIC)
        log.unlink(missing_ok=True)
        with running_service(("detect",), env, log) as detector:
            before_s = processor_s(detector.pid)
            with Commits(bootstrap, TRADES_TOPIC, DETECTOR.group, ends) as commits:
                begun = _await(commits, lambda seen: seen.offsets > 0, detector, log)
                done = _await(commits, lambda seen: seen.offsets == commits.total, detector, log)
            used_s, memory_mb = processor_s(detector.pid) - before_s, own_memory_mb(detector.pid)
            saved = _saved(bootstrap)
            restart = _restart(bootstrap, env, detector, rest, folder)
    rate = cut * (done.offsets - begun.offsets) / commits.total / max(done.at_s - begun.at_s, POLL_S)
    return (
        f"{tape['symbol'].n_unique():,}",
        f"{rate:,.0f}",
        f"{1e6 * used_s / cut:.1f}",
        f"{memory_mb:,.0f}",
        f"{saved.sessions:,}",
        f"{saved.newest_bytes / 1e6:.1f}",
        f"{saved.all_bytes / 1e6:.1f}",
        f"{restart.commit_s:.1f}",
        f"{restart.anomaly_s:.1f}",
        f"{restart.all_s:.1f}",
    )


def _await(
    commits: Commits, is_it: Callable[[Seen], bool], detector: "subprocess.Popen[bytes]", log: Path
) -> Seen:
    """Return what was seen when the group had committed as much."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline_s and detector.poll() is None:
        if is_it(seen := commits.ask()):
            return seen
        time.sleep(POLL_S)
    raise TapewatchError("The detector ended, or did not commit all in time.", f"See {log}.")


def _saved(bootstrap: str) -> Saved:
    newest: dict[bytes, int] = {}
    all_bytes = 0
    for record in read_topic(bootstrap, CHECKPOINTS_TOPIC):
        value = record.value() or b""
        all_bytes += len(value)
        newest[b"%d " % record.partition() + (record.key() or b"")] = len(value)
    sessions = sum(not key.endswith(b" " + PARTITION_KEY) and size > 0 for key, size in newest.items())
    return Saved(sessions, sum(newest.values()), all_bytes)


def _restart(
    bootstrap: str, env: dict[str, str], detector: "subprocess.Popen[bytes]", rest: Path, folder: Path
) -> Restart:
    """Kill the detector, start it again while the rest is published, and watch."""
    log = folder / "detector-again.log"
    log.unlink(missing_ok=True)
    numbers = dict.fromkeys(ends_of_records(bootstrap, TRADES_TOPIC), FAR)
    with ExitStack() as running:
        commits = running.enter_context(Commits(bootstrap, TRADES_TOPIC, DETECTOR.group, numbers))
        anomalies = _at_its_end(bootstrap, ANOMALIES_TOPIC)
        running.callback(anomalies.close)
        before = commits.ask().offsets
        detector.kill()
        killed_s = time.perf_counter()
        producer = start_child(
            command("produce", str(rest)), log_file=folder / "producer.log", env=env, cwd=PROJECT
        )
        running.callback(_end, producer)
        again = start_child(command("detect"), log_file=log, env=env, cwd=PROJECT)
        running.callback(_end, again)
        commit_s = anomaly_s = 0.0
        wanted = FAR
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s and again.poll() is None:
            message = anomalies.poll(POLL_S)
            now_s = time.perf_counter() - killed_s
            if not anomaly_s and message is not None and message.error() is None:
                anomaly_s = now_s
            seen = commits.ask()
            if not commit_s and seen.offsets > before:
                commit_s = seen.at_s - killed_s
            if wanted == FAR and producer.poll() is not None:
                wanted = sum(ends_of_records(bootstrap, TRADES_TOPIC).values())
            if anomaly_s and seen.offsets >= wanted:
                return Restart(commit_s, anomaly_s, seen.at_s - killed_s)
    raise TapewatchError("The detector that was started again ended, or was too slow.", f"See {log}.")


def _at_its_end(bootstrap: str, topic: str) -> Consumer:
    """Return a reader of what will come into a topic."""
    reader: Consumer = new_consumer(KafkaConnection(bootstrap), READS_ONLY)
    places = []
    for number in partition_numbers(reader, topic):
        _, high = reader.get_watermark_offsets(TopicPartition(topic, number), timeout=REQUEST_TIMEOUT_S)
        places.append(TopicPartition(topic, number, high))
    reader.assign(places)
    return reader


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
