"""Postgres beside the demo: started for it, with passwords of its own, and gone with it."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.docker.secret_files import make_passwords, write_once
from infra.embedded.ports import LOOPBACK
from infra.embedded.postgres_server import DATABASE, PostgresServer, running_postgres
from services.common.config.secret_files import read_secret
from services.common.postgres.connection import connection_from
from services.contracts.postgres import (
    ALERTS_TABLE,
    ANOMALIES_TABLE,
    CORRECTIONS_TABLE,
    READER_ROLE,
    SCHEMA,
    TRADES_TABLE,
    WRITER_ROLE,
)

TABLES = (TRADES_TABLE, ANOMALIES_TABLE, CORRECTIONS_TABLE, ALERTS_TABLE)
EXAMPLE = f"SELECT symbol, count(*) FROM {TRADES_TABLE} GROUP BY symbol"  # noqa: S608 - a constant
"""What the line for psql asks."""


class DemoStorage:
    """The demo's Postgres, and how its parts and people reach it.

    Parameters
    ----------
    server
        Running.
    passwords
        Folder of `ROLE.password` files.
    login
        File from which psql takes the reader's password.
    """

    def __init__(self, server: PostgresServer, passwords: Path, login: Path) -> None:
        self._server = server
        self._passwords = passwords
        self._login = login

    def check(self) -> None:
        """Fail if the server has exited; raises TapewatchError."""
        self._server.check()

    @property
    def setup_settings(self) -> dict[str, Any]:
        """What `setup` needs to know, by the names of its settings."""
        return {
            "postgres_admin": self._server.admin_url,
            "postgres_admin_password_file": self._server.password_file,
            "postgres_secrets_dir": self._passwords,
        }

    @property
    def sink_variables(self) -> dict[str, str]:
        """Variables of the indexer that writes here."""
        return {
            "TAPEWATCH_POSTGRES": self._server.url(WRITER_ROLE),
            "TAPEWATCH_POSTGRES_PASSWORD_FILE": str(self._password_file(WRITER_ROLE)),
        }

    def rows(self) -> Mapping[str, int]:
        """Return the number of rows by table, as a reader sees them."""
        password = read_secret(self._password_file(READER_ROLE), "the reader's password")
        reader = connection_from(self._server.url(READER_ROLE), "TAPEWATCH_POSTGRES", password, None)
        counts = [f"SELECT '{table}', count(*) FROM {SCHEMA}.{table}" for table in TABLES]  # noqa: S608 - constants
        with reader.connect("tapewatch-demo") as session:
            return dict(session.execute(" UNION ALL ".join(counts)).fetchall())

    def psql_line(self) -> str:
        """Return a line for a shell in any folder that asks the database while the demo runs."""
        command = [str(self._server.psql()), "-h", LOOPBACK, "-p", str(self._server.port)]
        command += ["-U", READER_ROLE, "-d", DATABASE, "-c", EXAMPLE]
        return f"PGPASSFILE={shlex.quote(str(self._login.absolute()))} {shlex.join(command)}"

    def _password_file(self, role: str) -> Path:
        return self._passwords / f"{role}.password"


@contextmanager
def open_storage(port: int, out: Path) -> Iterator[DemoStorage]:
    """Run a Postgres until the end of the block.

    Parameters
    ----------
    port
        On 127.0.0.1.
    out
        Existing folder; gets the reader's login for psql, which is removed at the end.

    Raises
    ------
    TapewatchError
        The port is taken, or the server does not start.
    """
    with running_postgres(port=port) as server:
        passwords = server.password_file.parent / "roles"
        passwords.mkdir(mode=0o700)
        make_passwords(passwords, (WRITER_ROLE, READER_ROLE))
        password = (passwords / f"{READER_ROLE}.password").read_text()
        login = out / "pgpass"
        login.unlink(missing_ok=True)  # of a demo that was killed
        write_once(login, f"{LOOPBACK}:{server.port}:{DATABASE}:{READER_ROLE}:{password}\n")
        try:
            yield DemoStorage(server, passwords, login)
        finally:
            login.unlink(missing_ok=True)
