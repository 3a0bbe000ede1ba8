"""What the doctor says of Postgres, where it is configured."""

import psycopg

from infra.doctor.checks import Diagnosis
from services.common.errors import TapewatchError
from services.common.postgres.connection import PostgresConnection, postgres_connection
from services.common.postgres.errors import Meaning, brief, meaning_of
from services.common.postgres.preflight import MIN_VERSION, check_schema
from services.common.postgres.settings import PostgresSettings

SUBJECT = "Postgres"
_APPLICATION = "tapewatch-doctor"


def check_postgres(settings: PostgresSettings) -> Diagnosis:
    """Check that Postgres answers, accepts the login, is new enough, and has the schema."""
    try:
        connection = postgres_connection(settings)
        with connection.connect(_APPLICATION) as session:
            place = f"{SUBJECT} at {connection}"
            check_schema(session, place)
            version, user = session.info.server_version, session.info.user
            is_encrypted = session.pgconn.ssl_in_use
    except TapewatchError as error:
        return Diagnosis(SUBJECT, error.cause, error.hint)
    except psycopg.Error as error:
        return judge_postgres_error(connection, error)
    return judge_postgres(connection, version, user, is_encrypted=is_encrypted)


def judge_postgres(
    connection: PostgresConnection, version: int, user: str, *, is_encrypted: bool
) -> Diagnosis:
    """Judge a server that has the schema by its version, as libpq counts it: 180004 is 18.4."""
    major, minor = divmod(version, 10_000)
    protection = "TLS" if is_encrypted else "no TLS"
    finding = f"{connection}, version {major}.{minor}, as {user}, {protection}"
    hint = "" if version >= MIN_VERSION else f"Use Postgres {MIN_VERSION // 10_000} or newer."
    return Diagnosis(SUBJECT, finding, hint)


def judge_postgres_error(connection: PostgresConnection, error: psycopg.Error) -> Diagnosis:
    """Judge an error: nobody answers, or the server does not accept this client."""
    if meaning_of(error) is Meaning.WAIT:
        return Diagnosis(
            SUBJECT,
            f"no answer from {connection} ({brief(error)})",
            "Start it, or set TAPEWATCH_POSTGRES to its address.",
        )
    return Diagnosis(
        SUBJECT,
        f"{connection} does not accept this client ({brief(error)})",
        "Check the user, its password file and the database; `tapewatch setup` makes them.",
    )
