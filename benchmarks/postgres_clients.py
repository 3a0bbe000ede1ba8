"""The Postgres sink's peers: other programs that store the same trades, in a table with the same columns.

Each reads the given number of trades from the topic `trades` and exits, with as many in a transaction as the
indexer has:

- `bare`: one consumer, orjson, `COPY` by psycopg's `write_row`, a transaction a batch, and nothing else;
- `executemany`: the same with psycopg's `executemany`, as its documentation shows it.

Their table has the same key, but neither the other index (symbol, time) nor partitions.

Usage: python -m benchmarks.postgres_clients FORM BOOTSTRAP URL PASSWORD_FILE TABLE TRADES
"""

import calendar
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg

from benchmarks.index_clients import read_batches
from services.indexer.sinks.postgres.rows import TRADE_COLUMNS

_NS = {"ts_recv_ns": "ts_recv", "tape_time_ns": "tape_time"}


def main(form: str, bootstrap: str, url: str, password_file: str, table: str, trades: str) -> None:
    """Store the trades; see the module."""
    columns = ", ".join(TRADE_COLUMNS)
    places = ", ".join(["%s"] * len(TRADE_COLUMNS))
    with psycopg.connect(url, password=Path(password_file).read_text()) as session:
        for batch in read_batches(bootstrap, int(trades)):
            rows = map(to_row, batch)
            with session.cursor() as cursor:
                if form == "bare":
                    with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                        for row in rows:
                            copy.write_row(row)
                else:
                    cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)  # noqa: S608
            session.commit()


def to_row(value: bytes) -> tuple[Any, ...]:
    """Return a message of the producer as a row, unchecked."""
    fields = orjson.loads(value)
    at = fields["@timestamp"]
    fields["day"], fields["time"], fields["ts_ns"] = at[:10], f"{at[:26]}Z", to_ns(at)
    for column, name in _NS.items():
        if name in fields:
            fields[column] = to_ns(fields[name])
    return tuple(map(fields.get, TRADE_COLUMNS))


_seconds: dict[str, int] = {}


def to_ns(text: str) -> int:
    """Return nanoseconds since 1970."""
    second = text[:19]
    if second not in _seconds:
        _seconds[second] = calendar.timegm(datetime.fromisoformat(second).timetuple()) * 10**9
    return _seconds[second] + int(text[20:-1].ljust(9, "0"))


if __name__ == "__main__":
    main(*sys.argv[1:])
