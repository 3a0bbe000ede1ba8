"""Numbered migrations: each runs once, in one transaction with the note that it has."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from services.common.errors import TapewatchError
from services.contracts.postgres import OWNER_ROLE, READER_ROLE, SCHEMA, WRITER_ROLE

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x7461706577617463
"""Key of the lock that lets one setup run at a time."""


@dataclass(frozen=True)
class Migration:
    """One step of the schema.

    Parameters
    ----------
    number
        From 1, without a gap.
    name
        What it brings.
    statements
        Its SQL.
    """

    number: int
    name: str
    statements: str

    @property
    def digest(self) -> str:
        """SHA-256 of its statements, in hex."""
        return hashlib.sha256(self.statements.encode()).hexdigest()


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """Return the migrations of a folder, `0001_name.sql` and so on, in their order.

    Raises
    ------
    ValueError
        A number is missing, or there twice.
    """
    paths = sorted(folder.glob("*.sql"))
    found = [Migration(int(path.stem[:4]), path.stem[5:], path.read_text()) for path in paths]
    if [one.number for one in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations in {folder} are not numbered from 1 without a gap")
    return found


def migrate(session: "psycopg.Connection[TupleRow]", migrations: list[Migration]) -> list[str]:
    """Create the roles and the schema, and run what has not run; returns one line for each change.

    Parameters
    ----------
    session
        Of a superuser, or of a user that may create roles and owns the database; in autocommit.
    migrations
        All, in their order.

    Raises
    ------
    TapewatchError
        A migration that has run is not what it was.
    psycopg.Error
        The server rejected a step; nothing of this run is left.
    """
    changes = []
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        # What waits for readers to end holds up all who come after it, so it rather gives up.
        session.execute("SET LOCAL lock_timeout = '10s'")
        changes += _create_roles(session)
        changes += _create_schema(session)
        session.execute(f"SET LOCAL ROLE {OWNER_ROLE}")
        session.execute(f"SET LOCAL search_path = {SCHEMA}, pg_temp")
        found = session.execute("SELECT number, digest FROM migrations").fetchall()
        done: dict[int, str] = dict(found)
        for one in migrations:
            if one.number in done:
                if done[one.number] != one.digest:
                    raise TapewatchError(
                        f"Migration {one.number} ({one.name}) has run in this database in another form.",
                        "Use the version of Tapewatch that made the schema, or drop the schema and run "
                        "`tapewatch setup` again.",
                    )
                continue
            session.execute(one.statements)
            session.execute(
                "INSERT INTO migrations (number, name, digest) VALUES (%s, %s, %s)",
                [one.number, one.name, one.digest],
            )
            changes.append(f"ran migration {one.number} of the schema {SCHEMA}: {one.name}")
    return changes


def _create_roles(session: "psycopg.Connection[TupleRow]") -> list[str]:
    changes = []
    for role, login in ((OWNER_ROLE, "NOLOGIN"), (WRITER_ROLE, "LOGIN"), (READER_ROLE, "LOGIN")):
        if session.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
            session.execute(f"CREATE ROLE {role} {login}")
            changes.append(f"created role {role}")
    # Who is no superuser may only manage a role that he has created, and becomes it by being a member.
    may_act = session.execute("SELECT pg_has_role(current_user, %s, 'USAGE')", [OWNER_ROLE]).fetchone()
    if may_act == (False,):
        session.execute(f"GRANT {OWNER_ROLE} TO current_user")
    return changes


def _create_schema(session: "psycopg.Connection[TupleRow]") -> list[str]:
    database = session.info.dbname
    if session.execute("SELECT FROM pg_namespace WHERE nspname = %s", [SCHEMA]).fetchone() is not None:
        return []
    name = sql.Identifier(database)
    session.execute(f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {OWNER_ROLE}")
    session.execute(
        sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(name, sql.Identifier(WRITER_ROLE))
    )
    session.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(READER_ROLE)))
    # So that people write `trades`, without the schema.
    session.execute(
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(
            sql.Identifier(READER_ROLE), name, sql.Identifier(SCHEMA)
        )
    )
    session.execute(
        f"CREATE TABLE {SCHEMA}.migrations (number integer PRIMARY KEY, name text NOT NULL,"
        " digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    session.execute(f"ALTER TABLE {SCHEMA}.migrations OWNER TO {OWNER_ROLE}")
    return [f"created schema {SCHEMA} in the database {database}"]
