"""The database of the shared Postgres, emptied and set up as `tapewatch setup` does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from infra.embedded.postgres_server import ADMIN, DATABASE, PostgresServer
from infra.postgres.migrations import migrate, read_migrations
from infra.postgres.passwords import set_up_passwords
from services.common.postgres.connection import PostgresConnection, connection_from
from services.contracts.postgres import READER_ROLE, WRITER_ROLE

PASSWORDS = {WRITER_ROLE: "for the writer", READER_ROLE: "for readers"}


@dataclass(frozen=True)
class Database:
    """A database of one server."""

    server: PostgresServer
    name: str
    secrets: Path

    def url(self, user: str) -> str:
        """Return its URL for a user."""
        return f"postgresql://{user}@127.0.0.1:{self.server.port}/{self.name}"

    def connection(self, user: str = WRITER_ROLE) -> PostgresConnection:
        """Return how a user reaches it."""
        password = self.server.password_file.read_text() if user == ADMIN else PASSWORDS[user]
        return connection_from(self.url(user), "TAPEWATCH_POSTGRES", password, None)

    def env(self) -> dict[str, str]:
        """Return the variables with which the sink and the setup reach it."""
        return {
            "TAPEWATCH_POSTGRES": self.url(WRITER_ROLE),
            "TAPEWATCH_POSTGRES_PASSWORD_FILE": str(self.secrets / f"{WRITER_ROLE}.password"),
            "TAPEWATCH_POSTGRES_ADMIN": self.url(ADMIN),
            "TAPEWATCH_POSTGRES_ADMIN_PASSWORD_FILE": str(self.server.password_file),
            "TAPEWATCH_POSTGRES_SECRETS_DIR": str(self.secrets),
        }

    def rows(self, statement: str, *values: Any, user: str = ADMIN) -> list[DictRow]:
        """Return what a statement gives, as a user in the schema."""
        with self.connection(user).connect("test") as session:
            session.execute("SET search_path = tapewatch")
            cursor = session.cursor(row_factory=dict_row).execute(statement, values)
            return cursor.fetchall() if cursor.description is not None else []


def empty_database(server: PostgresServer, folder: Path) -> Database:
    """Return a server's database without anything in it; `folder` gets the roles' password files."""
    admin = connection_from(server.admin_url, "TAPEWATCH_POSTGRES", server.password_file.read_text(), None)
    with admin.connect("test") as session:
        session.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        session.execute("DROP SCHEMA IF EXISTS tapewatch CASCADE")
    secrets = folder / "secrets"
    secrets.mkdir()
    for role, password in PASSWORDS.items():
        (secrets / f"{role}.password").write_text(f"{password}\n")
    return Database(server, DATABASE, secrets)


def new_database(server: PostgresServer, folder: Path) -> Database:
    """Return a server's database with schema, roles and passwords, and no rows."""
    database = empty_database(server, folder)
    with database.connection(ADMIN).connect("test") as session:
        migrate(session, read_migrations())
        set_up_passwords(session, database.secrets)
    return database


@contextmanager
def admin_session(database: Database) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    """Yield a session of the superuser."""
    with database.connection(ADMIN).connect("test") as session:
        yield session
