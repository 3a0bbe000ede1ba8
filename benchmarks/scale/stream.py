"""Many days, one after the other, through producer, detector and indexer into Elasticsearch.

`tapewatch produce` publishes each generated day's file, in a process of its own; `tapewatch detect` with the
default profile and `tapewatch index` run from the beginning to the end. The next day's file is published as
soon as both have less than half a day to go, so that nothing waits for long and nothing piles up; after each
tenth of the days all is worked off. A first day comes before those that count: code is compiled and caches
are filled by it.

What is looked at: processor time of each process (all of its threads; the producer's with its start), its own
memory (resident, without files that are mapped into it, which the kernel may drop), messages not committed,
bytes on disk. Kafka's bytes are those of all topics; Elasticsearch's those of the indices of trades, which
segments that are being merged are part of.
"""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.feed import running_service
from benchmarks.scale.tenths import Sample
from benchmarks.surroundings import PROJECT, command, ended_children_s, environment, processor_s, run_command
from benchmarks.topics import Lag, topic_sizes
from infra.embedded.child_process import start_child
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from services.contracts.components import DETECTOR, INDEXER
from services.contracts.indices import TRADES_INDICES
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC

TIMEOUT_S = 600.0
STALLED_AFTER_S = 180.0
MARKERS = 60
"""Ends of transactions take an offset each; a group that is behind by a few of these has read all."""

BEHIND = 0.5
"""A day is published once groups have less than so much of a day to go."""

DETECTOR_LAG, INDEXER_LAG = "detector", "indexer"
PRODUCER_NAME, DETECTOR_NAME, INDEXER_NAME = "producer", "detector", "indexer"
KAFKA_NAME, ELASTICSEARCH_NAME = "Kafka", "Elasticsearch"
PROCESSES = (PRODUCER_NAME, DETECTOR_NAME, INDEXER_NAME, KAFKA_NAME, ELASTICSEARCH_NAME)


@dataclass(frozen=True)
class DayFile:
    """A day to publish.

    Parameters
    ----------
    path
        Its file.
    trades
        How many it has.
    """

    path: Path
    trades: int


class Stream:
    """Producer, detector and indexer on a running stack; a context manager that starts the latter two.

    Parameters
    ----------
    stack
        Kafka and Elasticsearch.
    folder
        Gets the logs.
    sample_every_s
        How often processes are looked at.
    """

    def __init__(self, stack: EmbeddedStack, folder: Path, sample_every_s: float) -> None:
        self._stack = stack
        self._folder = folder
        self._every_s = sample_every_s
        self._client = new_client(stack.elasticsearch_url)
        self._env = environment(stack.kafka_bootstrap) | {
            "TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url,
            "TAPEWATCH_METRICS_PORT": "0",
        }
        self._producer: subprocess.Popen[bytes] | None = None
        self._published = 0
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            starting.enter_context(self._client)
            run_command(self._env, TIMEOUT_S, "setup")
            kafka = self._stack.kafka_connection
            self._lags = {
                DETECTOR_LAG: Lag(kafka, DETECTOR.group, TRADES_TOPIC),
                INDEXER_LAG: Lag(kafka, INDEXER.group, TRADES_TOPIC),
            }
            self._lag_of_anomalies = Lag(kafka, INDEXER.group, ANOMALIES_TOPIC)
            for lag in (*self._lags.values(), self._lag_of_anomalies):
                starting.callback(lag.close)
            self._services = {
                name: starting.enter_context(
                    running_service((verb,), self._env, self._folder / f"{name}.log")
                )
                for name, verb in ((DETECTOR_NAME, "detect"), (INDEXER_NAME, "index"))
            }
            self._cleanup = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._producer is not None:
            self._producer.kill()
            self._producer.wait()
        self._cleanup.close()

    def run(self, days: Sequence[DayFile]) -> list[Sample]:
        """Publish days and wait until they are worked off.

        Returns
        -------
        list of Sample
            In order of time, from just before the first day until all were worked off.

        Raises
        ------
        TapewatchError
            A process ended, or nothing was indexed for a long time.
        """
        samples = [self._sample()]
        moved_s = time.monotonic()
        for day in days:
            log = self._folder / "producer.log"
            self._producer = start_child(
                command("produce", str(day.path)), log_file=log, env=self._env, cwd=PROJECT
            )
            self._published += day.trades
            is_last = day is days[-1]
            while True:
                time.sleep(self._every_s)
                samples.append(self._sample())
                self._check()
                if samples[-1].trades > samples[-2].trades:
                    moved_s = time.monotonic()
                elif time.monotonic() - moved_s > STALLED_AFTER_S:
                    raise TapewatchError(
                        f"No trade was indexed for {STALLED_AFTER_S:.0f} s, with {samples[-1].trades:,} of "
                        f"{self._published:,} there.",
                        f"See the logs in {self._folder}.",
                    )
                if self._producer is None and (
                    self._is_done(samples[-1])
                    if is_last
                    else max(samples[-1].lag.values()) < BEHIND * day.trades
                ):
                    break
        return samples

    def check_counts(self, days: Mapping[str, int]) -> None:
        """Fail unless each day is indexed once, to the last trade.

        Parameters
        ----------
        days
            Trades by the day in New York.

        Raises
        ------
        TapewatchError
            Names the first day that differs.
        """
        if (indexed := int(self._stats()["indexing"]["index_total"])) != self._published:
            raise TapewatchError(
                f"{indexed:,} trades were indexed, of {self._published:,}: some of them again.",
                f"See the logs in {self._folder}.",
            )
        self._client.indices.refresh(index=TRADES_INDICES)
        for day, trades in days.items():
            times = {"gte": day, "lt": f"{day}||+1d", "time_zone": "America/New_York"}
            query = {"range": {"@timestamp": times}}
            found = int(self._client.count(index=TRADES_INDICES, query=query)["count"])
            if found != trades:
                raise TapewatchError(
                    f"{found:,} trades of {day} are indexed, its file has {trades:,}.",
                    f"See the logs in {self._folder}.",
                )

    def _stats(self) -> dict[str, Any]:
        answer = self._client.indices.stats(index=TRADES_INDICES, metric="indexing,store")
        found: dict[str, Any] = answer["_all"]["primaries"]
        return found

    def _sample(self) -> Sample:
        # Asked first: whoever ends in between is then read as it was.
        running = {name: service.pid for name, service in self._services.items()}
        servers = {KAFKA_NAME: self._stack.kafka.pid, ELASTICSEARCH_NAME: self._stack.elasticsearch.pid}
        running |= {name: pid for name, pid in servers.items() if pid}
        processor = {name: processor_s(pid) for name, pid in running.items()}
        producer_s = 0.0
        if self._producer is not None and self._producer.poll() is None:
            running[PRODUCER_NAME] = self._producer.pid
            producer_s = processor_s(self._producer.pid)
        else:
            self._end_producer()
        processor[PRODUCER_NAME] = ended_children_s() + producer_s
        stats = self._stats()
        return Sample(
            time.monotonic(),
            int(stats["indexing"]["index_total"]),
            processor,
            {name: own_memory_mb(pid) for name, pid in running.items()},
            {name: lag.ask() or 0 for name, lag in self._lags.items()},
            sum(topic_sizes(self._stack.data_dir / "kafka" / "data").values()),
            int(stats["store"]["size_in_bytes"]),
        )

    def _end_producer(self) -> None:
        """Forget a producer that has published its day."""
        if self._producer is not None and (code := self._producer.poll()) is not None:
            if code != 0:
                raise TapewatchError(
                    f"`tapewatch produce` exited with {code}.", f"See {self._folder / 'producer.log'}."
                )
            self._producer = None

    def _check(self) -> None:
        self._stack.check()
        for name, service in self._services.items():
            if (code := service.poll()) is not None:
                raise TapewatchError(f"The {name} exited with {code}.", f"See {self._folder / name}.log.")

    def _is_done(self, sample: Sample) -> bool:
        lags = [*sample.lag.values(), self._lag_of_anomalies.ask()]
        return sample.trades >= self._published and all(lag is not None and lag <= MARKERS for lag in lags)


def own_memory_mb(pid: int) -> float:
    """Return the memory of a process that is resident and no file's, in MB; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = [int(line.split()[1]) for line in lines if line.startswith("RssAnon:")]
    return sum(found) * 1024 / 1e6
