"""Brings lines of CSV into a table, inside a transaction; what Postgres refuses is found alone.

Trades are copied straight into their table, which costs half of the way through a temporary one. If one of
them is there already, as in a replay, they take that way, until all of a batch were new again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from services.common.postgres.errors import Meaning, meaning_of
from services.contracts.postgres import SCHEMA
from services.indexer.sinks.base import Rejected
from services.indexer.sinks.postgres.csv import COPY_OPTIONS
from services.indexer.sinks.postgres.metrics import KNOWN_TRADES
from services.indexer.sinks.postgres.rows import ANOMALIES, TABLES, TRADES, Retraction, Table

Session = psycopg.Connection[TupleRow]
_LINE = re.compile(r"COPY \w+, line (\d+)")
_MAX_CONTEXT_CHARS = 300


class NoPartitionError(Exception):
    """A row's day has no partition any more."""


Line = tuple[int, bytes]
"""A row to store: index of its record in the batch, and its line of CSV."""


@dataclass(frozen=True)
class Removal:
    """An anomaly to remove, unless a later message has put it there."""

    retraction: Retraction
    topic_id: str
    partition: int
    offset: int


def stage_tables(session: Session) -> None:
    """Create the session's temporary tables; with the constraints, so that a refusal names the line."""
    for table in TABLES.values():
        session.execute(
            f"CREATE TEMPORARY TABLE staged_{table.name} (LIKE {SCHEMA}.{table.name} INCLUDING CONSTRAINTS)"
            " ON COMMIT DELETE ROWS",
        )


class Copier:
    """Stores lines; keeps in mind which way trades take."""

    def __init__(self) -> None:
        self._has_known = False
        """Whether trades of the last batch were in the table already."""

    def store(self, session: Session, table: Table, lines: Sequence[Line]) -> list[Rejected]:
        """Store lines, each of another key, in the transaction that is open; return those that are refused.

        Raises
        ------
        NoPartitionError
            A day's partition has been dropped; nothing of the transaction can be kept.
        psycopg.Error
            Postgres cannot take any rows now.
        """
        rejected: list[Rejected] = []
        waiting = [lines]
        while waiting:
            part = waiting.pop()
            try:
                with session.transaction():
                    self._copy(session, table, part)
            except psycopg.errors.UniqueViolation:
                if table is not TRADES or self._has_known:
                    raise
                self._has_known = True
                waiting.append(part)
            except psycopg.Error as error:
                if _is_without_partition(error):
                    raise NoPartitionError from error
                if meaning_of(error) is not Meaning.ROW:
                    raise
                if len(part) == 1:
                    rejected.append(Rejected(part[0][0], _reason(error)))
                else:
                    waiting += reversed(_split(part, error))
        return rejected

    def _copy(self, session: Session, table: Table, lines: Sequence[Line]) -> None:
        is_direct = table is TRADES and not self._has_known
        target = f"{SCHEMA}.{table.name}" if is_direct else f"pg_temp.staged_{table.name}"
        columns = ", ".join(table.columns)
        with (
            session.cursor() as cursor,
            cursor.copy(f"COPY {target} ({columns}) FROM STDIN WITH {COPY_OPTIONS}") as copy,
        ):
            copy.write(b"\n".join([csv for _, csv in lines]))
        if is_direct:
            return
        inserted = session.execute(_merge(table)).rowcount
        session.execute(f"TRUNCATE pg_temp.staged_{table.name}")  # another part may follow
        if table is TRADES:
            KNOWN_TRADES.inc(len(lines) - inserted)
            self._has_known = inserted < len(lines)


def remove(session: Session, removals: Sequence[Removal]) -> None:
    """Remove anomalies, in the transaction that is open."""
    session.execute(
        f"""DELETE FROM {SCHEMA}.{ANOMALIES.name} old
            USING unnest(%s::date[], %s::text[], %s::text[], %s::int[], %s::bigint[])
                AS gone (day, trade_id, topic_id, partition, kafka_offset)
            WHERE old.day = gone.day AND old.trade_id = gone.trade_id
            AND NOT (old.kafka_topic_id = gone.topic_id AND old.kafka_partition = gone.partition
                AND old.kafka_offset > gone.kafka_offset)""",  # noqa: S608 - constants
        [
            [one.retraction.day for one in removals],
            [one.retraction.trade_id for one in removals],
            [one.topic_id for one in removals],
            [one.partition for one in removals],
            [one.offset for one in removals],
        ],
    )


def _merge(table: Table) -> str:
    columns = ", ".join(table.columns)
    key = ", ".join(table.key)
    if table.updates is None:
        action = "DO NOTHING"
    else:
        changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in table.columns if name not in table.key)
        action = f"DO UPDATE SET {changes} WHERE {table.updates}"
    return (
        f"INSERT INTO {SCHEMA}.{table.name} AS old ({columns})"  # noqa: S608 - constants
        f" SELECT {columns} FROM pg_temp.staged_{table.name} ON CONFLICT ({key}) {action}"
    )


def _split(lines: Sequence[Line], error: psycopg.Error) -> list[Sequence[Line]]:
    """Divide lines of which one is refused: that one, and those before and after it; halves if unknown."""
    found = _LINE.search(error.diag.context or "")
    number = int(found[1]) if found else 0
    if not 1 <= number <= len(lines):
        half = len(lines) // 2
        return [lines[:half], lines[half:]]
    parts = (lines[: number - 1], lines[number - 1 : number], lines[number:])
    return [part for part in parts if part]


def _is_without_partition(error: psycopg.Error) -> bool:
    """Tell the error for a missing partition from that of a constraint, which has a name."""
    return isinstance(error, psycopg.errors.CheckViolation) and error.diag.constraint_name is None


def _reason(error: psycopg.Error) -> str:
    context = (error.diag.context or "").partition("\n")[0]
    where = f" ({context[:_MAX_CONTEXT_CHARS]})" if context else ""
    return f"{type(error).__name__}: {error.diag.message_primary}{where}"
