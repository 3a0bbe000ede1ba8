"""Writes batches, each in one transaction with the offsets behind it, for as long as that takes."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import psycopg
import structlog

from services.common.errors import TapewatchError
from services.common.kafka.end_offsets import Partition
from services.common.postgres.connection import PostgresConnection
from services.common.postgres.errors import Meaning, brief, meaning_of
from services.common.process.readiness import LOG_EVERY_S
from services.common.process.shutdown import Stop
from services.contracts.postgres import SCHEMA
from services.indexer.sinks.base import Rejected, StoppedError
from services.indexer.sinks.postgres.copying import (
    Copier,
    NoPartitionError,
    Session,
    remove,
    stage_tables,
)
from services.indexer.sinks.postgres.metrics import RETRIES, TRANSACTION_SECONDS
from services.indexer.sinks.postgres.offsets import FencedError, TopicIds, advance, note_session
from services.indexer.sinks.postgres.rows import Table
from services.indexer.sinks.postgres.steps import Step

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 8.0

Publish = Callable[[list[Rejected]], bool]


class Writer:
    """Has one session, in which one batch is written at a time; a session that breaks is replaced.

    Parameters
    ----------
    connection
        How to reach Postgres.
    application
        Name of the session.
    stop
        Ends the waiting between two tries.

    Attributes
    ----------
    owner
        Who the partitions belong to that are written; a batch that was begun under another name is not
        stored.
    topic_ids
        Kafka's ids of the topics.
    """

    def __init__(self, connection: PostgresConnection, application: str, stop: Stop) -> None:
        self.owner = ""
        self.topic_ids: TopicIds = {}
        self._connection = connection
        self._application = application
        self._stop = stop
        self._log = structlog.get_logger()
        self._session: Session | None = None
        self._noted_owner = ""
        self._copier = Copier()
        self._days: dict[tuple[str, str], str | None] = {}
        """When a table's day was dropped; None for one that has its partition."""
        self._next_log_s = 0.0
        self._busy = threading.Lock()

    def write(
        self,
        steps: Sequence[Step],
        offsets: Mapping[Partition, int],
        is_wanted: Callable[[], bool],
        publish: Publish,
    ) -> list[Rejected]:
        """Store rows and offsets; see `TransactionalSink.write`."""
        # In this order: whoever takes the partitions away says so before it becomes another owner.
        owner = self.owner
        if not is_wanted():
            return []
        wait_s = FIRST_WAIT_S
        has_asked_again = False
        with self._busy:
            while True:
                try:
                    with TRANSACTION_SECONDS.time():
                        return self._try(owner, steps, offsets, publish)
                except NoPartitionError:
                    self._days.clear()
                    if not has_asked_again:  # retention was quicker, as the next try is told
                        has_asked_again = True
                        continue
                    reason = "a day has no partition, although the table of partitions has it"
                except FencedError:
                    reason = "another instance has taken these partitions over"
                except psycopg.Error as error:
                    self._judge(error)
                    self._disconnect()
                    reason = brief(error)
                RETRIES.inc()
                if not is_wanted():
                    return []
                jittered_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, protects nothing
                self._report(reason, jittered_s)
                if self._stop.wait(jittered_s):
                    raise StoppedError
                if not is_wanted():
                    return []
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _try(
        self, owner: str, steps: Sequence[Step], offsets: Mapping[Partition, int], publish: Publish
    ) -> list[Rejected]:
        session = self._connected(owner)
        rejected: list[Rejected] = []
        for step in steps:
            rejected += self._refused_by_day(session, step)
        without = {one.at for one in rejected}
        with session.transaction():
            for step in steps:
                lines = [line for line in step.lines if line[0] not in without] if without else step.lines
                if lines:
                    rejected += self._copier.store(session, step.table, lines)
                if step.removals:
                    remove(session, step.removals)
            if not publish(rejected):
                raise FencedError
            advance(session, owner, offsets, self.topic_ids)
        return rejected

    def _refused_by_day(self, session: Session, step: Step) -> list[Rejected]:
        """Make the partitions that are missing; return the rows of days that were dropped."""
        dropped: dict[bytes, str] = {}
        for day in step.days:
            gone_at = self._gone_at(session, step.table, day.decode())
            if gone_at is not None:
                dropped[day] = gone_at
        if not dropped:
            return []
        return [
            Rejected(
                at,
                f"the day was dropped: {step.table.name} of {day.decode()} were dropped on {dropped[day]},"
                " as they had been kept for as long as they should",
            )
            for at, day in step.of_days(dropped)
        ]

    def _gone_at(self, session: Session, table: Table, day: str) -> str | None:
        key = (table.name, day)
        if key not in self._days:
            row = session.execute(
                f"SELECT to_char({SCHEMA}.ensure_day(%s, %s::date), 'YYYY-MM-DD HH24:MI TZ')",
                [table.name, day],
            ).fetchone()
            self._days[key] = None if row is None else row[0]
        return self._days[key]

    def _connected(self, owner: str) -> Session:
        session = self._session
        if session is None or session.closed:
            session = self._session = self._connection.connect(self._application)
            stage_tables(session)
            self._days.clear()
            self._noted_owner = ""
        if self._noted_owner != owner:
            note_session(session, owner)
            self._noted_owner = owner
        return session

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _judge(self, error: psycopg.Error) -> None:
        """Raise for an error that only a person can fix.

        Raises
        ------
        TapewatchError
            It is one.
        """
        if meaning_of(error) is Meaning.PERSON:
            raise TapewatchError(
                f"Postgres at {self._connection} rejected a transaction: {brief(error)}.",
                "Check the user's rights; `tapewatch setup` creates the tables and grants them.",
            ) from error

    def _report(self, reason: str, wait_s: float) -> None:
        """Log why a batch waits, unless that was logged a moment ago."""
        now_s = time.monotonic()
        if now_s < self._next_log_s:
            return
        self._next_log_s = now_s + LOG_EVERY_S
        self._log.warning(
            "Postgres took no rows for now; trying again", reason=reason, wait_s=round(wait_s, 2)
        )
