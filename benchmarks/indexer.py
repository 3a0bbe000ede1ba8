"""The running indexer, against a minimal client and against common alternatives.

All forms index the same trades of the topic `trades` (one real day where there is one, else a generated one,
published once) under the same ids into the same index, on one embedded Kafka and one embedded Elasticsearch,
with the index settings of `tapewatch setup`. Bulk requests have the same number of documents:

- `tapewatch index` as in production: checks each message, retries, commits offsets, serves metrics;
- a bare client that reads the same trades, and one whose bulk bodies are ready in memory, each with its
  best number of connections (`benchmarks/index_clients.py`);
- elasticsearch-py's `helpers.bulk` and `helpers.parallel_bulk`, and Quix Streams' sink for Elasticsearch.

Each runs as one process of its own, one after the other. Before each run the index is deleted and created
again, and the indexer's group has no offsets.

The same is timed for all, from outside: Elasticsearch's own count of indexed documents, queried every 50 ms.
The clock starts when the first documents are seen, and stops when all are but those of one request: a service
does not know which trade is the last, so the indexer may wait for more before it sends the rest.
The rate is the documents in between by the time in between, so the start of the process, joining the group,
and preparing bodies are not counted for any of them. After each run the index has to have each trade, indexed
once.

First all three of the indexer and its two rivals run unmeasured, so that servers and caches are warm; then
both rivals try each number of connections with a part of the trades, and keep the best. The figures are
medians of the turns, in every second of which the order is the opposite; ratios are medians of the turns'
ratios. The others run in the first turn alone.
"""

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import elasticsearch
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from benchmarks.index_clients import read_batches, to_action
from benchmarks.peers.quix import packages as quix
from benchmarks.rows import Row
from benchmarks.surroundings import (
    OUT,
    PROJECT,
    REAL_DAYS,
    command,
    environment,
    generated_day,
    note,
    run_command,
)
from infra.embedded.child_process import start_child
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch, new_client
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.common.kafka.connection import KafkaConnection
from services.contracts.components import INDEXER as COMPONENT
from services.contracts.topics import TRADES_TOPIC
from services.indexer.batch import MAX_BATCH_RECORDS
from services.indexer.sinks.elasticsearch.sink import ElasticsearchSink
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

TURNS = 5
CONNECTIONS = ElasticsearchSink.connections
REAL_DAY = REAL_DAYS / "xnas-itch-20241202.trades.csv.zst"
GENERATED_DAY = DayConfig(trades=200_000, symbols=5)
TRIED_CONNECTIONS = (1, 2, 3, 4)
TRIED_TRADES = 100_000
TRIES = 2
UNTIL_IDLE_S = "1"
POLL_S = 0.05
TIMEOUT_S = 180.0
PARALLEL_BULK_THREADS = 4
"""Its default."""

INDEXER, BARE, READY = "indexer", "bare", "ready"
BULK, PARALLEL_BULK, QUIX = "bulk", "parallel_bulk", "quix"


def measure() -> list[Row]:
    """Measure the turns."""
    quix.ENVIRONMENT.install(note)
    kind, day = ("real", REAL_DAY) if REAL_DAY.exists() else ("generated", generated_day(GENERATED_DAY))
    with _running_stack() as stack, tempfile.TemporaryDirectory() as scratch:
        bench = Bench(stack.kafka_bootstrap, stack.elasticsearch_url)
        bench.publish(day)
        best = bench.find_best_connections()
        forms: dict[str, Callable[[], float]] = {
            INDEXER: bench.indexer,
            BARE: lambda: bench.client(BARE, best[BARE]),
            READY: lambda: bench.client(READY, best[READY]),
            BULK: lambda: bench.client(BULK, 1),
            PARALLEL_BULK: lambda: bench.client(PARALLEL_BULK, PARALLEL_BULK_THREADS),
            QUIX: lambda: bench.quix_sink(quix.ENVIRONMENT.python, Path(scratch)),
        }
        rates: dict[str, list[float]] = {form: [] for form in forms}
        for turn in range(1, TURNS + 1):
            taken = list(forms) if turn == 1 else [INDEXER, BARE, READY]
            for form in taken if turn % 2 else reversed(taken):
                rates[form].append(forms[form]())
            figures = ", ".join(f"{form} {rates[form][-1]:,.0f}" for form in taken)
            note(f"indexer: turn {turn} of {TURNS}: {figures} trades/s")
    client = f"elasticsearch-py {elasticsearch.__versionstr__}"
    peers = {
        BARE: (f"a bare client, connections: {best[BARE]}", "0.9 at least"),
        READY: (f"bodies ready in memory, connections: {best[READY]}", "0.8 at least"),
        BULK: (f"{client}, bulk", None),
        PARALLEL_BULK: (f"{client}, parallel_bulk, threads: {PARALLEL_BULK_THREADS}", None),
        QUIX: (f"{quix.NAME}, its sink", None),
    }
    return [
        Row(
            f"indexer: a {kind} day of {bench.trades:,} trades, connections: {CONNECTIONS}",
            statistics.median(rates[INDEXER]),
            "trades/s",
            f"{peer}: {statistics.median(rates[form]):,.0f}",
            statistics.median(a / b for a, b in zip(rates[INDEXER], rates[form], strict=False)),
            target,
        )
        for form, (peer, target) in peers.items()
    ]


@contextmanager
def _running_stack() -> Iterator[EmbeddedStack]:
    """Run the embedded Kafka and Elasticsearch, both as `tapewatch setup` makes them."""
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config, report=note) as stack:
        env = environment(stack.kafka_bootstrap) | {"TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url}
        run_command(env, TIMEOUT_S, "setup")
        yield stack


class Bench:
    """A Kafka with a day of trades in it, an Elasticsearch, and the programs between them.

    Parameters
    ----------
    bootstrap
        Where that Kafka is.
    url
        Of that Elasticsearch.

    Attributes
    ----------
    trades
        How many there are.
    """

    def __init__(self, bootstrap: str, url: str) -> None:
        self._bootstrap = bootstrap
        self._url = url
        self._admin: AdminClient = new_admin(KafkaConnection(bootstrap))
        self._client: Elasticsearch = new_client(url)
        self._env = environment(bootstrap) | {"TAPEWATCH_ELASTICSEARCH": url, "TAPEWATCH_METRICS_PORT": "0"}
        self._indices: list[str] = []
        self._runs = 0
        self.trades = 0

    def publish(self, day: Path) -> None:
        """Publish a day."""
        note(f"indexer: publishes {day.name}")
        run_command(self._env, TIMEOUT_S, "produce", str(day))
        self.trades = sum(len(chunk.trades) for chunk in open_source(day).chunks())
        batches = read_batches(self._bootstrap, self.trades)
        self._indices = sorted({to_action(value)["_index"] for batch in batches for value in batch})

    def find_best_connections(self) -> dict[str, int]:
        """Warm up, then return the number of connections that is best, for each client that may choose."""
        note("indexer: warms up")
        self.indexer()
        self.client(BARE, CONNECTIONS)
        self.client(READY, CONNECTIONS)
        best = {}
        trades = min(TRIED_TRADES, self.trades)
        for form in (BARE, READY):
            tried = {
                connections: max(self.client(form, connections, trades) for _ in range(TRIES))
                for connections in TRIED_CONNECTIONS
            }
            best[form] = max(tried, key=tried.__getitem__)
            figures = ", ".join(f"{connections}: {rate:,.0f}" for connections, rate in tried.items())
            note(f"indexer: {form} client, trades/s by connections: {figures}")
        return best

    def indexer(self) -> float:
        """Return trades a second of `tapewatch index`."""
        self._forget_group()
        return self._rate(INDEXER, command("index", "--until-idle", UNTIL_IDLE_S), self._env, self.trades)

    def client(self, form: str, connections: int, trades: int | None = None) -> float:
        """Return trades a second of a client of `benchmarks/index_clients.py`; None for all trades."""
        trades = trades or self.trades
        arguments = [sys.executable, "-m", "benchmarks.index_clients", form, self._bootstrap, self._url]
        return self._rate(form, [*arguments, str(trades), str(connections)], self._env, trades)

    def quix_sink(self, python: Path, scratch: Path) -> float:
        """Return trades a second of Quix Streams' sink; it has one index, also for trades after midnight."""
        self._runs += 1
        arguments = [
            *(str(python), str(PROJECT / "benchmarks" / "peers" / "quix" / "sink.py")),
            *(self._bootstrap, f"quix-sink-{self._runs}", TRADES_TOPIC, self._url, self._indices[0]),
            *(str(self.trades), str(MAX_BATCH_RECORDS), str(scratch / "state")),
        ]
        return self._rate(QUIX, arguments, quix.ENVIRONMENT.variables(), self.trades)

    def _forget_group(self) -> None:
        """Remove the offsets of an earlier run, once the broker has noticed that its member is gone."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s:
            (deleted,) = self._admin.delete_consumer_groups([COMPONENT.group]).values()
            try:
                deleted.result()
            except KafkaException as error:
                if error.args[0].code() == KafkaError.NON_EMPTY_GROUP:
                    time.sleep(POLL_S)
                    continue
                if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                    raise
            return
        raise RuntimeError(f"the group {COMPONENT.group} did not become empty")

    def _rate(self, form: str, arguments: list[str], env: dict[str, str], trades: int) -> float:
        """Run a program that indexes the given number of trades and exits; return trades a second."""
        for index in self._indices:
            self._client.options(ignore_status=404).indices.delete(index=index)
            self._client.indices.create(index=index)
        log_file = OUT / f"{form}.log"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.unlink(missing_ok=True)
        program = start_child(arguments, log_file=log_file, env=env, cwd=PROJECT)
        try:
            rate = self._watch(program, trades)
            code = program.wait(TIMEOUT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                program.kill()
            program.wait()
        if rate is None or code != 0:
            raise TapewatchError(
                f"{form} did not index {trades:,} trades in {TIMEOUT_S:.0f} s, or exited with code {code}.",
                f"See its log, {log_file}.",
            )
        self._check(form, trades)
        return rate

    def _watch(self, program: "subprocess.Popen[bytes]", trades: int) -> float | None:
        """Return documents a second from the first to those of the last request; None if some are missing."""
        deadline_s = time.monotonic() + TIMEOUT_S
        first: tuple[float, int] | None = None
        has_ended = False
        while time.monotonic() < deadline_s and not has_ended:
            has_ended = program.poll() is not None  # before the count, which is then the last
            indexed = self._indexed()
            now_s = time.monotonic()
            if indexed and first is None:
                first = now_s, indexed
            if first and indexed >= trades - MAX_BATCH_RECORDS:
                if indexed == first[1]:
                    raise RuntimeError("everything was indexed at once: too few trades to time")
                return (indexed - first[1]) / (now_s - first[0])
            time.sleep(POLL_S)
        return None

    def _indexed(self) -> int:
        """Return how many documents Elasticsearch has indexed, searchable or not, repeated ones included."""
        stats = self._client.indices.stats(index=self._indices, metric="indexing")
        return int(stats["_all"]["primaries"]["indexing"]["index_total"])

    def _check(self, form: str, trades: int) -> None:
        """Fail unless the index has the given number of trades, each indexed once."""
        self._client.indices.refresh(index=self._indices)
        there = self._client.count(index=self._indices)["count"]
        if not there == self._indexed() == trades:
            raise RuntimeError(f"{form} indexed {self._indexed()} times, {there} documents, of {trades}")
