"""Waits for Postgres, and checks that the schema is there and the user may use it."""

import psycopg
from psycopg.rows import TupleRow

from services.common.errors import TapewatchError
from services.common.observability.health import Health
from services.common.postgres.connection import PostgresConnection
from services.common.postgres.errors import Meaning, brief, meaning_of
from services.common.process.readiness import wait_for_server
from services.common.process.shutdown import Stop
from services.contracts.postgres import SCHEMA, SCHEMA_VERSION

MIN_VERSION = 150000
"""Postgres 15, the oldest that is not about to be retired; tested with 18."""


class NotNowError(Exception):
    """Postgres cannot serve now; it is asked again."""


def wait_for_postgres(
    connection: PostgresConnection, application: str, stop: Stop, health: Health | None = None
) -> bool:
    """Wait until the server answers.

    Parameters
    ----------
    connection
        How to reach it.
    application
        Name of the session.
    stop
        Ends the waiting.
    health
        Told that the service waits.

    Returns
    -------
    bool
        False if a stop came first.

    Raises
    ------
    TapewatchError
        It does not accept the login, or is too old.
    """
    place = f"Postgres at {connection}"
    if health is not None:
        health.detail = place

    def ask() -> None:
        try:
            with connection.connect(application) as session:
                version = session.info.server_version
        except psycopg.Error as error:
            if meaning_of(error) is Meaning.WAIT:
                raise NotNowError(brief(error)) from error
            raise TapewatchError(
                f"{place} does not accept this client: {brief(error)}.",
                "Check the user, its password file and the database; `tapewatch setup` makes them.",
            ) from error
        if version < MIN_VERSION:
            raise TapewatchError(
                f"{place} is version {version // 10_000}.", f"Use Postgres {MIN_VERSION // 10_000} or newer."
            )

    beat = health.beat if health is not None else lambda: None
    return wait_for_server(ask, NotNowError, place, stop, beat)


def check_schema(session: "psycopg.Connection[TupleRow]", place: str) -> None:
    """Check that the migrations have run that the sink needs.

    Raises
    ------
    TapewatchError
        They have not, or this user may not see them.
    psycopg.Error
        The server does not answer.
    """
    try:
        row = session.execute(f"SELECT max(number) FROM {SCHEMA}.migrations").fetchone()  # noqa: S608 - a constant
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise TapewatchError(
            f"{place} has no schema {SCHEMA}.",
            "Run `tapewatch setup` with TAPEWATCH_POSTGRES_ADMIN set to create it.",
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise TapewatchError(
            f"{place} does not let this user see the schema {SCHEMA}.",
            "Log in as tapewatch_writer, or run `tapewatch setup`, which grants the rights.",
        ) from error
    number = row[0] if row else None
    if not isinstance(number, int) or number < SCHEMA_VERSION:
        raise TapewatchError(
            f"The schema {SCHEMA} at {place} is at migration {number or 0}, and {SCHEMA_VERSION} is needed.",
            "Run `tapewatch setup` with TAPEWATCH_POSTGRES_ADMIN set.",
        )
