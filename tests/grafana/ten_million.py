"""`python -m tests.grafana.ten_million` times each panel's SQL among ten million trades, for docs/grafana.md.

The trades are made in Postgres: ten days of five symbols with 200,000 trades each, and 1,000 anomalies and
alerts a day.
"""

import datetime as dt
import tempfile
import time
from pathlib import Path

from infra.embedded.postgres_server import PostgresServer, running_postgres
from services.contracts.postgres import READER_ROLE
from tests.grafana.dashboards import DASHBOARDS, SQL, variables
from tests.grafana.macros import View, expand
from tests.integration.postgres.database import Database, admin_session, new_database

DAYS, SYMBOLS, TRADES_EACH, ANOMALIES_A_DAY = 10, 5, 200_000, 1_000
FIRST = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
TIMES = 5

TRADES = f"""
INSERT INTO trades (ts_ns, time, price, size, sequence, day, trade_id, symbol, side, source, ts_recv_ns,
                    publisher_id, instrument_id, action, depth, flags, rtype, ts_in_delta)
SELECT extract(epoch FROM at)::bigint * 1000000000 + n, at, 100 + s * 10 + sin(n / 20000.0) + random(),
       (1 + random() ^ 6 * 5000)::int, n, at::date, format('2-%s-%s-%s', s, to_char(at, 'YYYYMMDD'), n),
       'SYM' || s, (ARRAY['A', 'B', 'N'])[1 + n % 3], 'generated',
       extract(epoch FROM at)::bigint * 1000000000, 2, 20000 + s, 'T', 0, 130, 0, 165
FROM generate_series(1, {TRADES_EACH}) AS n, generate_series(1, {SYMBOLS}) AS s,
     LATERAL (SELECT $day::timestamptz + interval '14 hours 30 minutes'
              + n * interval '6 hours 30 minutes' / {TRADES_EACH} AS at)
ORDER BY n
"""  # noqa: S608 - of the constants above, as is the next one

ANOMALIES = f"""
INSERT INTO anomalies (ts_ns, time, price, size, score, revision, kafka_offset, day, session, kafka_partition,
                       judged_again, trade_id, symbol, side, label, severity, message, kafka_topic_id, labels,
                       detections, contributions, features, rest)
SELECT ts_ns, time, price, size, random(), 1, 0, day, day, 0, false, trade_id, symbol, side, 'Unusual Size',
       (ARRAY['info', 'low', 'medium', 'high', 'critical'])[1 + sequence % 5], repeat('why ', 20), 'topic',
       ARRAY['Unusual Size'], '[]', '{{}}', '{{}}', '{{}}'
FROM trades
WHERE day = $day::date AND sequence % {TRADES_EACH * SYMBOLS // ANOMALIES_A_DAY} = 0
"""  # noqa: S608

ALERTS = """
INSERT INTO alerts (ts_ns, time, last_time, score, count, revision, kafka_offset, day, session,
                    kafka_partition, alert_id, symbol, state, rule, alert_group, severity, message,
                    first_trade, last_trade, sending, kafka_topic_id, labels, anomalies, rest)
SELECT ts_ns, time, time, score, 1, n, 0, day, session, 0, md5(trade_id), symbol,
       (ARRAY['opened', 'closed'])[n], 'anomalies', label, severity, message, trade_id, trade_id,
       'due', 'topic', labels, ARRAY[trade_id], '{}'
FROM anomalies, generate_series(1, 2) AS n
WHERE day = $day::date
"""


def main() -> None:
    """Fill a database, ask each query a few times, and print a table."""
    # Made data needs no disk that survives a power cut.
    with tempfile.TemporaryDirectory() as folder, running_postgres({"fsync": "off"}) as server:
        database = filled(server, Path(folder))
        (rows,) = database.rows("SELECT count(*) AS trades FROM trades")
        print(f"{rows['trades']:,} trades, one session of {TRADES_EACH:,}\n")
        print("| query | a session, ms of CPU | ms | all of the day, ms of CPU | ms |\n|---|---|---|---|---|")
        queries = [(one.dashboard, one.name, one.text) for one in SQL] + [
            (name, f"{name}: the choice of symbols", variables(name)["symbol"]["query"])
            for name in DASHBOARDS
            if "symbol" in variables(name)
        ]
        for dashboard, name, text in queries:
            taken = [least_ms(database, expand(text, view(dashboard, count))) for count in (1, SYMBOLS)]
            print(f"| {name} |" + "".join(f" {ms:.0f} |" for each in taken for ms in each), flush=True)


def filled(server: PostgresServer, folder: Path) -> Database:
    """Return a database with the days."""
    database = new_database(server, folder)
    with admin_session(database) as session:
        session.execute("SET search_path = tapewatch")
        session.execute("SET TimeZone = 'UTC'")
        for number in range(DAYS):
            day = f"'{FIRST + dt.timedelta(days=number):%Y-%m-%d}'"
            for table, text in (("trades", TRADES), ("anomalies", ANOMALIES), ("alerts", ALERTS)):
                session.execute(f"SELECT ensure_day('{table}', {day}::date)".encode())
                session.execute(text.replace("$day", day).encode())
        session.execute("ANALYZE")
    return database


def view(dashboard: str, symbols: int) -> View:
    """Return the time range of a day in the middle, with some symbols and everything else chosen."""
    start = FIRST + dt.timedelta(days=DAYS // 2)
    values = {name: one.get("allValue", "") for name, one in variables(dashboard).items()}
    chosen = {"symbol": [f"SYM{number}" for number in range(1, symbols + 1)], "interval": "5m"}
    return View(start, start + dt.timedelta(hours=23, minutes=59), values | chosen)


def least_ms(database: Database, text: str) -> tuple[float, float]:
    """Return what a query takes at least, in ms: on one core of the server, and until its rows are there.

    On a busy machine the second says little.
    """
    on_core, until_there = [], []
    with database.connection(READER_ROLE).connect("test") as session:
        session.execute("SET max_parallel_workers_per_gather = 0")
        (pid,) = session.execute("SELECT pg_backend_pid()").fetchone() or (0,)
        for _ in range(TIMES):
            start_s, start_ns = time.perf_counter(), _on_core_ns(pid)
            session.execute(text.encode()).fetchall()
            until_there.append((time.perf_counter() - start_s) * 1e3)
            on_core.append((_on_core_ns(pid) - start_ns) / 1e6)
    return min(on_core), min(until_there)


def _on_core_ns(pid: int) -> int:
    """Return how long a process has run on a core; Linux alone tells."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


if __name__ == "__main__":
    main()
