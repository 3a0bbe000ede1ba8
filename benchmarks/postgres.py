"""The running indexer with the sink for Postgres, against a bare client with `COPY` and plain `executemany`.

All store the same trades of the topic `trades` (a generated day, published once) in one embedded Kafka and
one embedded Postgres, each as one process of its own, one after the other. The sink is as in production: it
checks each message, keeps a second index, stores the offsets in the same transactions and serves metrics.
`benchmarks/postgres_clients.py` says what the others leave out. Before each run the trades are gone, and the
indexer has no offsets and an empty partition.

The same is timed for all, from outside: the size of the table, asked every 50 ms. The clock starts when the
first pages are seen, and stops when the last ones are; rows are equally long on average, so the share of the
final size in between is the share of the trades. The start of the process and joining the group are not
counted for any of them. After each run the table has to have each trade once.

The figures are medians of the turns, in every second of which the order is the opposite; ratios are medians
of the turns' ratios.

Then the indexer stores ten more days of a million trades each, while its memory and the size of the
table are read: its rate in the last million beside that in the first tells whether it gets slower.
"""

import contextlib
import datetime as dt
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.rows import TupleRow

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
from infra.embedded.postgres_server import PostgresServer, running_postgres
from infra.postgres.migrations import migrate, read_migrations
from infra.postgres.passwords import set_up_passwords
from services.common.errors import TapewatchError
from services.common.postgres.connection import connection_from
from services.contracts.postgres import WRITER_ROLE
from services.sources.synthetic.day import DayConfig

TURNS = 3
MEASURED = DayConfig(date=dt.date(2026, 3, 3), trades=600_000, symbols=24)
GROWN_DAYS, GROWN_TRADES = 10, 1_000_000
"""After the measured day."""

TABLE = "bench_trades"
POLL_S = 0.05
TIMEOUT_S = 600.0

_INDEX = command("index", "--sink", "postgres", "--until-idle", "1")
_TRADES = "tapewatch.trades"

INDEXER, BARE, EXECUTEMANY = "indexer", "bare", "executemany"


def measure() -> list[Row]:
    """Measure the turns, then the growth."""
    with (
        running_kafka() as bootstrap,
        running_postgres({"shared_buffers": "512MB"}) as postgres,
        tempfile.TemporaryDirectory() as folder,
    ):
        bench = Bench(bootstrap, postgres, Path(folder))
        bench.publish(MEASURED)
        forms: dict[str, Callable[[], float]] = {
            INDEXER: bench.indexer,
            BARE: lambda: bench.client(BARE),
            EXECUTEMANY: lambda: bench.client(EXECUTEMANY),
        }
        note("postgres: warms up")
        bench.indexer()
        bench.client(BARE)
        rates: dict[str, list[float]] = {form: [] for form in forms}
        for turn in range(1, TURNS + 1):
            for form in forms if turn % 2 else reversed(forms):
                rates[form].append(forms[form]())
            figures = ", ".join(f"{form} {rates[form][-1]:,.0f}" for form in forms)
            note(f"postgres: turn {turn} of {TURNS}: {figures} trades/s")
        row_bytes = bench.row_bytes()
        grown = bench.grow()
    name = f"postgres: index --sink postgres, a generated day of {MEASURED.trades:,} trades"
    peers = {
        BARE: (f"a bare client, psycopg {psycopg.__version__}, COPY", "0.8 at least"),
        EXECUTEMANY: ("executemany", None),
    }
    rows = [
        Row(
            name,
            statistics.median(rates[INDEXER]),
            "trades/s",
            f"{peer}: {statistics.median(rates[form]):,.0f}",
            statistics.median(a / b for a, b in zip(rates[INDEXER], rates[form], strict=True)),
            target,
        )
        for form, (peer, target) in peers.items()
    ]
    trades = MEASURED.trades + GROWN_DAYS * GROWN_TRADES
    return [
        *rows,
        Row("postgres: a trade with its indexes", row_bytes, "bytes"),
        Row(
            f"postgres: the last of {trades:,} trades",
            grown.last_rate,
            "trades/s",
            f"the first {GROWN_TRADES:,}: {grown.first_rate:,.0f}",
            grown.last_rate / grown.first_rate,
            "0.9 at least",
        ),
        Row(f"postgres: memory of the indexer, {trades:,} trades", grown.peak_mb, "MB", target="300 at most"),
    ]


@dataclass(frozen=True)
class Grown:
    """What became of the indexer over many trades."""

    first_rate: float
    last_rate: float
    peak_mb: float


class Bench:
    """A Kafka with trades in it, a Postgres, and the programs between them.

    Parameters
    ----------
    bootstrap, postgres
        The servers.
    folder
        Gets the password of the sink.
    """

    def __init__(self, bootstrap: str, postgres: PostgresServer, folder: Path) -> None:
        self._bootstrap = bootstrap
        self._postgres = postgres
        password = postgres.password_file.read_text()
        self._connection = connection_from(postgres.admin_url, "TAPEWATCH_POSTGRES_ADMIN", password, None)
        (folder / f"{WRITER_ROLE}.password").write_text("of the benchmark")
        with self._connection.connect("bench") as session:
            migrate(session, read_migrations())
            set_up_passwords(session, folder)
            session.execute(f"CREATE TABLE {TABLE} (LIKE tapewatch.trades INCLUDING CONSTRAINTS)")
            session.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (day, trade_id)")
        self._env = environment(bootstrap) | {
            "TAPEWATCH_POSTGRES": postgres.url(WRITER_ROLE),
            "TAPEWATCH_POSTGRES_PASSWORD_FILE": str(folder / f"{WRITER_ROLE}.password"),
            "TAPEWATCH_METRICS_PORT": "0",
        }
        self._trades = 0

    def publish(self, config: DayConfig) -> None:
        """Publish a generated day after what is there."""
        note(f"postgres: publishes {config.trades:,} trades of {config.symbols} symbols")
        day = generated_day(config)
        run_command(self._env, TIMEOUT_S, "produce", str(day))
        day.unlink()
        self._trades += config.trades

    def indexer(self) -> float:
        """Return trades a second of `tapewatch index --sink postgres`."""
        self._forget()
        return self._rate(INDEXER, _INDEX, _TRADES)

    def client(self, form: str) -> float:
        """Return trades a second of a client of `benchmarks/postgres_clients.py`."""
        with self._connection.connect("bench") as session:
            session.execute(f"TRUNCATE {TABLE}")
        url, password_file = self._postgres.admin_url, str(self._postgres.password_file)
        arguments = [
            sys.executable,
            "-m",
            "benchmarks.postgres_clients",
            form,
            self._bootstrap,
            url,
            password_file,
        ]
        return self._rate(form, [*arguments, TABLE, str(self._trades)], TABLE)

    def row_bytes(self) -> float:
        """Return how much a trade takes with its indexes, as the last run has left them."""
        self.indexer()
        with self._connection.connect("bench") as session:
            size = _one(
                session,
                "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('tapewatch.trades')",
            )
        return size / self._trades

    def grow(self) -> Grown:
        """Return how the indexer does over many days."""
        self._forget()
        first = self._trades
        for number in range(GROWN_DAYS):
            day = MEASURED.date + dt.timedelta(days=1 + number)
            self.publish(DayConfig(date=day, trades=GROWN_TRADES, symbols=24))
        note(f"postgres: {self._trades:,} trades")
        seen, peak_bytes = self._watched(INDEXER, _INDEX, _TRADES)
        self._check(INDEXER, _TRADES)
        share = GROWN_TRADES / self._trades
        return Grown(
            self._rate_of(seen, 0.0, max(share, first / self._trades)),
            self._rate_of(seen, 1 - share, 1.0),
            peak_bytes / 1e6,
        )

    def _forget(self) -> None:
        """Remove all trades and offsets; the partitions stay, empty."""
        with self._connection.connect("bench") as session:
            session.execute("TRUNCATE tapewatch.trades, tapewatch.kafka_offsets")

    def _rate(self, form: str, arguments: list[str], table: str) -> float:
        """Run a program that stores the trades and exits; return trades a second."""
        seen, _ = self._watched(form, arguments, table)
        self._check(form, table)
        return self._rate_of(seen, 0.0, 1.0)

    def _rate_of(self, seen: list[tuple[float, int]], since: float, until: float) -> float:
        """Return trades a second between two shares of the final size."""
        final = seen[-1][1]
        grown = [(at_s, size) for at_s, size in seen if size and since * final <= size]
        first_s, first = grown[0]
        last_s, last = next((at_s, size) for at_s, size in grown if size >= until * final)
        return (last - first) / final * self._trades / (last_s - first_s)

    def _watched(self, form: str, arguments: list[str], table: str) -> tuple[list[tuple[float, int]], int]:
        """Run a program to its end; return when the table had which size, and the program's memory."""
        log_file = OUT / f"postgres-{form}.log"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        log_file.unlink(missing_ok=True)
        with self._connection.connect("bench") as session:
            session.execute("CHECKPOINT")  # so that none pays for the one before it
            program = start_child(arguments, log_file=log_file, env=self._env, cwd=PROJECT)
            seen: list[tuple[float, int]] = []
            peak_bytes = 0
            deadline_s = time.monotonic() + TIMEOUT_S
            try:
                process = psutil.Process(program.pid)
                while program.poll() is None and time.monotonic() < deadline_s:
                    with contextlib.suppress(psutil.Error):
                        peak_bytes = max(peak_bytes, process.memory_info().rss)
                    size = (  # of a plain table, or of the partitions
                        f"SELECT pg_relation_size('{table}') + coalesce((SELECT sum(pg_relation_size(relid))"  # noqa: S608
                        f" FROM pg_partition_tree('{table}')), 0)"
                    )
                    seen.append((time.monotonic(), int(_one(session, size))))
                    time.sleep(POLL_S)
            finally:
                code = program.poll()
                with contextlib.suppress(ProcessLookupError):
                    program.kill()
                program.wait()
        if code != 0:
            raise TapewatchError(f"{form} exited with {code}.", f"See its log, {log_file}.")
        return seen, peak_bytes

    def _check(self, form: str, table: str) -> None:
        with self._connection.connect("bench") as session:
            count = _one(session, f"SELECT count(*) FROM {table}")  # noqa: S608 - a constant
        if count != self._trades:
            raise RuntimeError(f"{form} stored {count:.0f} trades instead of {self._trades}")


def _one(session: "psycopg.Connection[TupleRow]", statement: str) -> float:
    row = session.execute(statement).fetchone()
    return 0.0 if row is None or row[0] is None else float(row[0])
