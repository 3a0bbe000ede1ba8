"""How to reach Postgres: its address, TLS and a login, as the settings say."""

from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from pydantic import SecretStr

from services.common.config.secret_files import given_secret
from services.common.errors import TapewatchError
from services.common.postgres.settings import PostgresSettings

CONNECT_TIMEOUT_S = 3
"""A stop has to wait for the end of a try."""

LOCK_TIMEOUT_MS = 5_000
"""A transaction waits no longer than that for what another one has locked; it is tried again."""

IDLE_TIMEOUT_MS = 10_000
"""The server ends a transaction whose client has gone silent for that long, and with it the locks."""

_LOCAL = ("localhost", "127.0.0.1", "::1")
_ENCRYPTED = ("require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class PostgresConnection:
    """What a connection needs.

    Parameters
    ----------
    parameters
        libpq's, without the password.
    password
        The user's, if one is given.
    """

    parameters: dict[str, str]
    password: SecretStr | None = None

    def __str__(self) -> str:
        """Return where it is, for logs."""
        host, port = self.parameters.get("host", "the local socket"), self.parameters.get("port", "5432")
        return f"{host}:{port}/{self.parameters.get('dbname', '')}".rstrip("/")

    def connect(self, application: str) -> "psycopg.Connection[TupleRow]":
        """Connect; the session is in UTC and in autocommit, and waits for locks and holds them only so long.

        Parameters
        ----------
        application
            Name of the session, which `pg_stat_activity` shows.

        Raises
        ------
        psycopg.Error
            The server does not answer, or does not accept the login.
        """
        secret = {} if self.password is None else {"password": self.password.get_secret_value()}
        address = make_conninfo(
            "",
            **self.parameters,
            **secret,
            application_name=application,
            connect_timeout=CONNECT_TIMEOUT_S,
            client_encoding="utf8",
            # A server that has vanished without a word is noticed, whether something is being sent or not.
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=15_000,
            options=f"-c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC -c datestyle=ISO"
            f" -c idle_in_transaction_session_timeout={IDLE_TIMEOUT_MS}",
        )
        return psycopg.connect(address, autocommit=True)


def postgres_connection(settings: PostgresSettings) -> PostgresConnection:
    """Return what the sink needs to connect.

    Raises
    ------
    TapewatchError
        The address cannot be used, or the settings contradict each other.
    """
    password = given_secret(
        settings.postgres_password, settings.postgres_password_file, "TAPEWATCH_POSTGRES_PASSWORD"
    )
    return connection_from(settings.postgres, "TAPEWATCH_POSTGRES", password, settings.postgres_ca)


def connection_from(url: str, variable: str, password: str | None, ca: Path | None) -> PostgresConnection:
    """Return what is needed to connect to an address.

    Parameters
    ----------
    url
        As libpq takes it, with the user and without a password.
    variable
        The variable that it comes from, for errors.
    password
        The user's.
    ca
        CA certificates that signed the server's; None to go by the address.

    Raises
    ------
    TapewatchError
        The address is none, has a password in it, has no user or database, or leaves open whether a
        connection that leaves this machine is encrypted.
    """
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError:  # whose text may quote a password
        raise TapewatchError(
            f"{variable} is not the URL of a database.",
            f"Set {variable} to one such as postgresql://USER@HOST:5432/DATABASE.",
        ) from None
    if "password" in given:
        # Logs and errors show the address, so this one must not get there.
        raise TapewatchError(
            f"{variable} contains a password, which logs would show.",
            f"Remove it, and set {variable}_PASSWORD_FILE.",
        )
    for name, meaning in (("user", "user"), ("dbname", "database")):
        if name not in given:
            raise TapewatchError(
                f"{variable} names no {meaning}.",
                f"Set {variable} to a URL such as postgresql://USER@HOST:5432/DATABASE.",
            )
    host = given.setdefault("host", "127.0.0.1")
    is_local = all(part in _LOCAL or part.startswith("/") for part in host.split(","))
    if ca is not None:
        if not ca.is_file():
            raise TapewatchError(
                f"The file of CA certificates {ca} cannot be read.",
                "Set TAPEWATCH_POSTGRES_CA to a file of certificates in PEM form.",
            )
        if given.get("sslmode", "verify-full") not in _ENCRYPTED:
            raise TapewatchError(
                f"TAPEWATCH_POSTGRES_CA is set, but {variable} says sslmode={given['sslmode']}.",
                f"Unset TAPEWATCH_POSTGRES_CA, or remove sslmode from {variable}.",
            )
        given |= {"sslmode": "verify-full", "sslrootcert": str(ca)}
    elif "sslmode" not in given and not is_local:
        raise TapewatchError(
            f"{variable} leads to another machine ({host}) and does not say whether to encrypt.",
            f"Set TAPEWATCH_POSTGRES_CA to the CA that signed its certificate, or add to {variable} "
            "?sslmode=verify-full&sslrootcert=system, or, in a network of yours alone, ?sslmode=disable.",
        )
    return PostgresConnection(given, None if password is None else SecretStr(password))
