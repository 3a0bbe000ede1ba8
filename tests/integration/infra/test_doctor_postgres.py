"""What `tapewatch doctor` says of a real Postgres."""

from pathlib import Path

import pytest

from infra.doctor.postgres import check_postgres
from infra.embedded.ports import free_port
from infra.embedded.postgres_server import PostgresServer
from services.common.postgres.settings import PostgresSettings
from services.contracts.postgres import READER_ROLE, WRITER_ROLE
from tests.integration.postgres.database import PASSWORDS, empty_database, new_database


def settings(url: str, password: str = "") -> PostgresSettings:
    return PostgresSettings(postgres=url, postgres_password=password or None)


@pytest.mark.parametrize("role", [WRITER_ROLE, READER_ROLE])
def test_a_database_that_is_set_up_is_well(postgres: PostgresServer, tmp_path: Path, role: str) -> None:
    database = new_database(postgres, tmp_path)
    found = check_postgres(settings(database.url(role), PASSWORDS[role]))
    assert found.hint == ""
    assert found.finding.startswith(f"127.0.0.1:{postgres.port}/tapewatch, version 18.")
    assert found.finding.endswith(f"as {role}, no TLS")


def test_a_database_without_the_schema_is_told_with_its_fix(postgres: PostgresServer, tmp_path: Path) -> None:
    new_database(postgres, tmp_path)  # which makes the roles
    other = tmp_path / "other"
    other.mkdir()
    database = empty_database(postgres, other)
    found = check_postgres(settings(database.url(WRITER_ROLE), PASSWORDS[WRITER_ROLE]))
    assert "has no schema tapewatch" in found.finding
    assert "Run `tapewatch setup`" in found.hint


def test_a_login_that_is_rejected_is_told_without_the_password(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    database = new_database(postgres, tmp_path)
    found = check_postgres(settings(database.url(WRITER_ROLE), "s3cret"))
    assert "does not accept this client" in found.finding
    assert "Check the user" in found.hint
    assert "s3cret" not in found.finding + found.hint


def test_nobody_who_answers_is_told() -> None:
    found = check_postgres(settings(f"postgresql://{WRITER_ROLE}@127.0.0.1:{free_port()}/tapewatch"))
    assert found.finding.startswith("no answer from 127.0.0.1:")
    assert "TAPEWATCH_POSTGRES" in found.hint


def test_an_address_that_cannot_be_used_is_told() -> None:
    found = check_postgres(settings("postgresql://writer@elsewhere/tapewatch"))
    assert "does not say whether to encrypt" in found.finding
    assert found.hint
