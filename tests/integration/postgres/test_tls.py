"""TLS: the server's certificate and its host are checked, and nothing goes without where TLS is asked for."""

from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.common.postgres.connection import postgres_connection
from services.common.postgres.preflight import wait_for_postgres
from services.common.postgres.settings import PostgresSettings
from services.contracts.postgres import WRITER_ROLE
from tests.certificates import Authority, needs_openssl
from tests.integration.postgres.database import Database
from tests.integration.postgres.tls_front import tls_front
from tests.stops import AskedFor

pytestmark = needs_openssl


def settings(database: Database, port: int, ca: Path | None, options: str = "") -> PostgresSettings:
    url = f"postgresql://{WRITER_ROLE}@127.0.0.1:{port}/{database.name}{options}"
    password_file = database.secrets / f"{WRITER_ROLE}.password"
    return PostgresSettings(postgres=url, postgres_password_file=password_file, postgres_ca=ca)


def test_rows_go_encrypted_to_a_server_that_the_ca_has_signed(database: Database, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    signed = authority.issue("server")
    with tls_front(database.server.port, signed.certificate, signed.key) as port:
        connection = postgres_connection(settings(database, port, authority.ca))
        with connection.connect("test") as session:
            assert session.pgconn.ssl_in_use
            assert session.execute("SELECT count(*) FROM tapewatch.trades").fetchone() == (0,)


def test_another_ca_or_another_host_is_told_and_not_waited_for(database: Database, tmp_path: Path) -> None:
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    elsewhere = ours.issue("elsewhere", hosts="DNS:elsewhere.example")
    stranger = others.issue("stranger")
    for signed, words in (
        (elsewhere, "does not match host name|certificate"),
        (stranger, "certificate verify failed"),
    ):
        with tls_front(database.server.port, signed.certificate, signed.key) as port:
            connection = postgres_connection(settings(database, port, ours.ca))
            with pytest.raises(TapewatchError, match=words):
                wait_for_postgres(connection, "test", AskedFor())


def test_a_server_without_tls_gets_no_password_where_tls_is_asked_for(
    database: Database, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    connection = postgres_connection(settings(database, database.server.port, authority.ca))
    with pytest.raises(TapewatchError, match="server does not support SSL"):
        wait_for_postgres(connection, "test", AskedFor())
