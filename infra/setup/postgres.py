"""The schema, roles and retention of Postgres, where a database is given to set up."""

import psycopg
from psycopg.rows import TupleRow

from infra.postgres.migrations import migrate, read_migrations
from infra.postgres.passwords import set_up_passwords
from infra.setup.settings import SetupSettings
from services.common.config.secret_files import given_secret
from services.common.errors import TapewatchError
from services.common.postgres.connection import PostgresConnection, connection_from
from services.common.postgres.errors import brief
from services.common.postgres.preflight import wait_for_postgres
from services.common.process.shutdown import Stop
from services.contracts.postgres import (
    ALERTS_TABLE,
    ANOMALIES_TABLE,
    CORRECTIONS_TABLE,
    SCHEMA,
    TRADES_TABLE,
)

APPLICATION = "tapewatch-setup"
"""Name of its sessions."""


def set_up_when_ready(settings: SetupSettings, stop: Stop) -> list[str] | None:
    """Wait until Postgres answers, and set it up; returns None if a stop came first.

    Raises
    ------
    TapewatchError
        As `admin_connection`, `wait_for_postgres` and `set_up_postgres`.
    """
    connection = admin_connection(settings)
    if not wait_for_postgres(connection, APPLICATION, stop):
        return None
    return set_up_postgres(connection, settings)


def admin_connection(settings: SetupSettings) -> PostgresConnection:
    """Return how to reach the database to set up, of which the address is given.

    Raises
    ------
    TapewatchError
        The address or a file cannot be used.
    """
    password = given_secret(
        settings.postgres_admin_password,
        settings.postgres_admin_password_file,
        "TAPEWATCH_POSTGRES_ADMIN_PASSWORD",
    )
    address = settings.postgres_admin or ""
    return connection_from(address, "TAPEWATCH_POSTGRES_ADMIN", password, settings.postgres_ca)


def set_up_postgres(connection: PostgresConnection, settings: SetupSettings) -> list[str]:
    """Make schema, roles, passwords and retention as they should be; returns one line for each change.

    Safe while the sink runs: a migration takes the locks that it needs for a moment, or gives up.

    Raises
    ------
    TapewatchError
        Postgres rejected a step.
    """
    try:
        with connection.connect(APPLICATION) as session:
            return [
                *migrate(session, read_migrations()),
                *set_up_passwords(session, settings.postgres_secrets_dir),
                *_set_up_retention(session, settings),
            ]
    except psycopg.Error as error:
        raise TapewatchError(
            f"Postgres at {connection} rejected the setup: {brief(error)}.",
            "Log in as a superuser, or as a user that owns the database and may create roles.",
        ) from error


def _set_up_retention(session: "psycopg.Connection[TupleRow]", settings: SetupSettings) -> list[str]:
    kept_days = {
        TRADES_TABLE: settings.trades_kept_days,
        **dict.fromkeys((ANOMALIES_TABLE, CORRECTIONS_TABLE, ALERTS_TABLE), settings.anomalies_kept_days),
    }
    changes = []
    with session.transaction():
        for table, days in kept_days.items():
            changed = session.execute(
                f"UPDATE {SCHEMA}.retention SET kept_days = %(days)s"  # noqa: S608 - a constant
                " WHERE table_name = %(table)s AND kept_days <> %(days)s",
                {"days": days, "table": table},
            )
            if changed.rowcount:
                changes.append(f"changed how long days of {table} are kept ({days} days)")
    return changes
