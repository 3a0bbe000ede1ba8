"""The running detector on Kafka, against Quix Streams that applies only a threshold.

Both read the same topic `trades` (a generated day of many symbols, published once) on the same embedded
Kafka, from its beginning to its end, one after the other in alternating pairs. Each has a consumer group
without offsets, its own empty output topic, transactions on, and one process:

- `tapewatch detect` as in production: decodes each trade, applies every detector of the default profile,
  publishes anomalies, commits each batch in a transaction;
- `benchmarks/quix_threshold.py`: JSON in, `size > 20000`, JSON out, `processing_guarantee="exactly-once"`. It
  commits every 100,000 messages. On two cores that was its fastest setting (one run each, timed from joining
  the group): 113,000 trades a second, against 92,000 when it commits every 10,000, and 99,000 with its
  default of 5 seconds, whose last commit comes late. The number of trades is a multiple of 100,000, so no
  remainder waits for the clock.

The same is timed for both, from outside: a reader polls the group's committed offsets every
20 ms. The clock starts when the first commit is seen, and stops when the last one is (every partition
committed up to its last trade). The rate is the trades committed in between by the time in between. So the
start of the process, joining the group, and the first transaction are not counted for either; every later
commit is. A commit is seen up to 20 ms late at both ends. Each is ended by SIGTERM once all is committed.

Before the first pair both read a shorter day once, unmeasured: the broker and the caches of compiled code
are then warm for both. After each run its output is counted: Quix Streams has to have published each trade
above the threshold once, the detector some anomalies.

The figures are medians of the runs, the ratio is the median of the pairs' ratios.
"""

import contextlib
import datetime as dt
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.peers import PEERS
from benchmarks.rows import Row
from benchmarks.surroundings import (
    OUT,
    PROJECT,
    command,
    environment,
    generated_day,
    note,
    run_command,
    running_kafka,
)
from infra.embedded.child_process import start_child
from infra.setup.topics import set_up_topics
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers, read_to_end
from services.common.kafka.records import Record
from services.common.process.shutdown import Stop
from services.contracts.components import DETECTOR
from services.contracts.topics import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC, DEFAULT_PARTITIONS, TRADES_TOPIC
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

PAIRS = 3
THRESHOLD_SHARES = 20_000
"""As in quix_threshold.py, which runs in another environment."""

COMMIT_EVERY = 100_000
WARM_UP = DayConfig(date=dt.date(2026, 3, 2), trades=2 * COMMIT_EVERY, symbols=24)
MEASURED = DayConfig(date=dt.date(2026, 3, 3), trades=6 * COMMIT_EVERY, symbols=24)
POLL_S = 0.02
RUN_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
TAIL_OFFSETS = 100
"""A partition's last record is nearer to its end than this; only transaction markers come after it."""


def measure() -> list[Row]:
    """Measure the pairs."""
    PEERS.install(note)
    with running_kafka() as bootstrap, tempfile.TemporaryDirectory() as scratch:
        bench = Bench(bootstrap)
        bench.publish(WARM_UP)
        note("service: warms up")
        bench.quix_streams(PEERS.python, Path(scratch))
        bench.detector()
        bench.publish(MEASURED)
        quix, ours = [], []
        for pair in range(1, PAIRS + 1):
            quix.append(bench.quix_streams(PEERS.python, Path(scratch)))
            ours.append(bench.detector())
            figures = f"Quix Streams {quix[-1]:,.0f}, detector {ours[-1]:,.0f} trades/s"
            note(f"service: pair {pair} of {PAIRS}: {figures}")
    peer = f"Quix Streams {PEERS.version('quixstreams')}, a threshold, exactly once"
    return [
        Row(
            "service: detect on Kafka, transactions on",
            statistics.median(ours),
            "trades/s",
            f"{peer}: {statistics.median(quix):,.0f}",
            statistics.median(a / b for a, b in zip(ours, quix, strict=True)),
            "1.1 at least",
        )
    ]


@dataclass(frozen=True)
class _Seen:
    """What the reader of committed offsets saw."""

    at_s: float
    offsets: int
    """Committed offsets of all partitions together."""


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
        last = _read(self._bootstrap, TRADES_TOPIC, tail=TAIL_OFFSETS)
        for message in last:
            number = message.partition()
            self._ends[number] = max(self._ends.get(number, 0), message.offset() + 1)

    def quix_streams(self, python: Path, scratch: Path) -> float:
        """Return trades a second of Quix Streams; see the module."""
        self._runs += 1
        group = topic = f"quix-threshold-{self._runs}"
        for created in self._admin.create_topics([NewTopic(topic, DEFAULT_PARTITIONS)]).values():
            created.result()
        arguments = [
            str(python),
            str(Path(__file__).with_name("quix_threshold.py")),
            *(self._bootstrap, group, TRADES_TOPIC, topic, str(COMMIT_EVERY), str(scratch / "state")),
        ]
        rate = self._rate(arguments, group, PEERS.variables())
        published = len(_read(self._bootstrap, topic))
        if published != self._large_trades:
            raise RuntimeError(f"Quix Streams published {published} trades instead of {self._large_trades}")
        return rate

    def detector(self, arguments: list[str] | None = None) -> float:
        """Return trades a second of `tapewatch detect`, or of another detector; see the module."""
        self._runs += 1
        self._forget_detector()
        rate = self._rate(arguments or command("detect"), DETECTOR.group, self._env)
        if not _read(self._bootstrap, ANOMALIES_TOPIC):
            raise RuntimeError("the detector published no anomaly")
        return rate

    def _forget_detector(self) -> None:
        """Delete what an earlier run left: offsets, state and anomalies."""
        with contextlib.suppress(KafkaException):  # there is no group before the first run
            for deleted in self._admin.delete_consumer_groups([DETECTOR.group]).values():
                deleted.result()
        topics = [ANOMALIES_TOPIC, CHECKPOINTS_TOPIC]
        for deleted in self._admin.delete_topics(topics).values():
            deleted.result()
        while set(topics) & self._admin.list_topics(timeout=STOP_TIMEOUT_S).topics.keys():
            time.sleep(POLL_S)
        set_up_topics(self._admin)

    def _rate(self, arguments: list[str], group: str, env: dict[str, str]) -> float:
        """Run a program until its group has committed everything; return trades a second."""
        log_file = OUT / f"{group}.log"
        log_file.unlink(missing_ok=True)
        reader: Consumer = new_consumer(KafkaConnection(self._bootstrap), group)
        if (left := self._committed(reader)).offsets:
            raise RuntimeError(f"the group {group} has committed {left.offsets} offsets already")
        program = start_child(arguments, log_file=log_file, env=env, cwd=PROJECT)
        try:
            first, last = self._watch(reader, program, arguments[0], log_file)
        finally:
            program.terminate()
            try:
                program.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
            reader.close()
        # The same as counting trades, but for the few offsets that a producer's transactions take.
        share = (last.offsets - first.offsets) / sum(self._ends.values())
        return share * self._trades / (last.at_s - first.at_s)

    def _watch(
        self, reader: Consumer, program: "subprocess.Popen[bytes]", name: str, log_file: Path
    ) -> tuple[_Seen, _Seen]:
        """Return what was seen at the first and at the last commit."""
        deadline_s = time.perf_counter() + RUN_TIMEOUT_S
        first: _Seen | None = None
        while time.perf_counter() < deadline_s and program.poll() is None:
            seen = self._committed(reader)
            if seen.offsets and first is None:
                first = seen
            if first and seen.offsets == sum(self._ends.values()):
                if seen is first:
                    raise RuntimeError("everything was committed at once: too few trades to time")
                return first, seen
            time.sleep(POLL_S)
        raise TapewatchError(
            f"{name} did not commit all trades within {RUN_TIMEOUT_S:.0f} s, or ended.",
            f"See its log, {log_file}.",
        )

    def _committed(self, reader: Consumer) -> _Seen:
        """Ask for the group's offsets, counting a partition up to its last trade at most."""
        # Consumer.committed, as AdminClient's call for this can crash on a broker that never had a group.
        partitions = [TopicPartition(TRADES_TOPIC, number) for number in self._ends]
        answer = reader.committed(partitions, timeout=STOP_TIMEOUT_S)
        offsets = sum(min(max(p.offset, 0), self._ends[p.partition]) for p in answer)
        return _Seen(time.perf_counter(), offsets)


def _read(bootstrap: str, topic: str, tail: int | None = None) -> list[Record]:
    """Return a topic's committed records, or those among the last offsets of each partition."""
    reader: Consumer = new_consumer(KafkaConnection(bootstrap), "benchmark-reads-only")
    starts = []
    for number in partition_numbers(reader, topic):
        low, high = reader.get_watermark_offsets(TopicPartition(topic, number), timeout=STOP_TIMEOUT_S)
        starts.append(TopicPartition(topic, number, low if tail is None else max(low, high - tail)))
    reader.close()
    return list(read_to_end(KafkaConnection(bootstrap), starts, Stop(on_signals=False)))
