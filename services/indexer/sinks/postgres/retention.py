"""Drops the days whose time is over, now and then."""

import psycopg
import structlog

from services.common.postgres.connection import PostgresConnection
from services.common.postgres.errors import brief
from services.common.process.background import in_background
from services.common.process.shutdown import Stop
from services.contracts.postgres import SCHEMA
from services.indexer.sinks.postgres.metrics import DROPPED_DAYS

EVERY_S = 3_600.0


def keep_retention(connection: PostgresConnection, application: str, stop: Stop) -> None:
    """Look for such days every hour until the stop, in a thread; several instances may."""

    def repeat() -> None:
        while not stop.requested:
            drop_expired_days(connection, application)
            stop.wait(EVERY_S)

    in_background(repeat)


def drop_expired_days(connection: PostgresConnection, application: str) -> list[str]:
    """Drop every partition whose time is over; return their names.

    What cannot be done now, since a long query reads the table or Postgres is away, is left to the next time.
    """
    dropped: list[str] = []
    try:
        with connection.connect(application) as session:
            while True:
                row = session.execute(f"SELECT {SCHEMA}.drop_expired_day()").fetchone()
                if row is None or row[0] is None:
                    break
                dropped.append(row[0])
                DROPPED_DAYS.inc()
    except psycopg.Error as error:
        structlog.get_logger().warning(
            "days whose time is over could not be dropped now; the next try is in an hour", error=brief(error)
        )
    if dropped:
        structlog.get_logger().info("dropped days whose time is over", partitions=dropped)
    return dropped
