"""Where Postgres is, and who logs in."""

from pathlib import Path

from pydantic import SecretStr

from services.common.config.settings import EnvironmentSettings
from services.contracts.postgres import WRITER_ROLE


class PostgresTrust(EnvironmentSettings):
    """Whom to trust, which holds for every user."""

    postgres_ca: Path | None = None
    """CA certificates (PEM) that signed the server's; TLS is used then, and certificate and host checked."""


class PostgresSettings(PostgresTrust):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as not set.

    Raises
    ------
    TapewatchError
        A value is invalid.
    """

    postgres: str = f"postgresql://{WRITER_ROLE}@127.0.0.1:5432/tapewatch"
    """URL of the database with its user, without a password; `postgres_connection` checks it."""

    postgres_password: SecretStr | None = None
    postgres_password_file: Path | None = None
    """File with the user's password; safer than a variable."""
