"""Compares the tables of Postgres with the day and an undisturbed run, field by field."""

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from psycopg.rows import dict_row

from services.common.postgres.connection import PostgresConnection
from services.contracts.postgres import ANOMALIES_TABLE, TRADES_TABLE
from tests.chaos.day import Day
from tests.chaos.verify import Document, Fields, Violation, compare_documents

_EXACT_AS_DOUBLES = 2**53
_READ_AT_ONCE = 5_000
_NOT_OF_THE_MESSAGE = ("day", "time", "label", "profile", "judged_again")


def verify_tables(
    connection: PostgresConnection, day: Day, anomalies: Mapping[str, dict[str, Any]]
) -> list[Violation]:
    """Compare all rows, as a superuser; `anomalies` are those of an undisturbed run."""
    trades = {trade.trade_id: _expected(orjson.loads(trade.value)) for trade in day.trades}
    wanted = {trade_id: _expected({"revision": 1} | fields) for trade_id, fields in anomalies.items()}
    return [
        *compare_documents(
            "table trades", trades, rows_of(connection, TRADES_TABLE), _partition(TRADES_TABLE)
        ),
        *compare_documents(
            "table anomalies", wanted, rows_of(connection, ANOMALIES_TABLE), _partition(ANOMALIES_TABLE)
        ),
    ]


def rows_of(connection: PostgresConnection, table: str) -> list[Document]:
    """Return all rows as messages, each with the partition that it is in."""
    with connection.connect("chaos") as session, session.transaction():
        cursor = session.cursor("rows", row_factory=dict_row)
        cursor.itersize = _READ_AT_ONCE
        cursor.execute(f"SELECT tableoid::regclass::text AS partition, * FROM tapewatch.{table}")  # noqa: S608
        return [_document(row) for row in cursor]


def _partition(table: str) -> Any:  # noqa: ANN401 - a function of fields
    def of(fields: Fields) -> str:
        at = dt.datetime.fromtimestamp(int(fields["ts_ns"]) // 1_000_000_000, dt.UTC)
        return f"tapewatch.{table}_{at:%Y%m%d}"

    return of


def _document(row: dict[str, Any]) -> Document:
    partition = row.pop("partition")
    ns = row["ts_ns"]
    at = dt.datetime.fromtimestamp(ns // 1_000_000_000, dt.UTC).replace(microsecond=ns // 1_000 % 1_000_000)
    assert row["time"] == at, "the time is that of ts_ns, cut"
    assert row["day"] == at.date(), "the day is that of the time"
    if "labels" in row:
        assert row["label"] == row["labels"][0]
        assert row["profile"] == row["rest"]["model"]["profile"]
        row["anomalies"] = row.pop("labels")
        row["session"] = str(row["session"])
    row |= row.pop("rest", {})
    fields = {
        name: value
        for name, value in row.items()
        if value is not None and name not in _NOT_OF_THE_MESSAGE and not name.startswith("kafka_")
    }
    return Document(partition, row["trade_id"], _comparable(fields))


def _expected(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a message's fields as a row has them: times in nanoseconds, in columns of that name."""
    fields = dict(fields)
    fields["ts_ns"] = _ns(fields.pop("@timestamp"))
    if "detections" not in fields:  # of an anomaly, what is not asked by stays as it is
        for name in ("ts_recv", "tape_time"):
            if name in fields:
                fields[f"{name}_ns"] = _ns(fields.pop(name))
    return _comparable(fields)


def _ns(text: str) -> int:
    second, _, digits = text.removesuffix("Z").partition(".")
    return calendar.timegm(dt.datetime.fromisoformat(second).timetuple()) * 10**9 + int(digits.ljust(9, "0"))


def _comparable(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(fields[name]) for name in sorted(fields)}


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    """Return a value in a form in which equal numbers are equal: a column has doubles where JSON has 100."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _comparable(value)
    if isinstance(value, Iterable):
        return [_plain(one) for one in value]
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return float(value) + 0.0 if abs(value) < _EXACT_AS_DOUBLES else value
