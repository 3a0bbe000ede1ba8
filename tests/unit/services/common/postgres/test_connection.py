from pathlib import Path
from typing import Any

import pytest

from services.common.errors import TapewatchError
from services.common.postgres.connection import postgres_connection
from services.common.postgres.settings import PostgresSettings


def connection(url: str, **given: Any) -> dict[str, str]:
    return postgres_connection(PostgresSettings(postgres=url, **given)).parameters


def test_an_address_on_this_machine_needs_no_more() -> None:
    assert connection("postgresql://me@127.0.0.1:5433/tape") == {
        "user": "me",
        "host": "127.0.0.1",
        "port": "5433",
        "dbname": "tape",
    }
    assert connection("postgresql://me@/tape")["host"] == "127.0.0.1"


def test_a_ca_encrypts_and_checks_certificate_and_host(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    found = connection("postgresql://me@db.example/tape", postgres_ca=ca)
    assert (found["sslmode"], found["sslrootcert"]) == ("verify-full", str(ca))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://me:secret@127.0.0.1/tape", "contains a password"),
        ("postgresql://me@127.0.0.1/tape?password=secret", "contains a password"),
        ("host=127.0.0.1 user=me dbname=tape password=secret", "contains a password"),
        ("http://secret", "is not the URL of a database"),
        ("postgresql://127.0.0.1/tape", "names no user"),
        ("postgresql://me@127.0.0.1", "names no database"),
        ("postgresql://me@db.example/tape", "does not say whether to encrypt"),
        ("postgresql://me@127.0.0.1,db.example/tape", "does not say whether to encrypt"),
    ],
)
def test_an_unsafe_address_is_refused_and_no_secret_shown(url: str, words: str) -> None:
    with pytest.raises(TapewatchError, match=words) as caught:
        connection(url)
    assert "secret" not in str(caught.value)


def test_a_ca_that_is_not_there_or_for_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="cannot be read"):
        connection("postgresql://me@db.example/tape", postgres_ca=tmp_path / "ca.pem")
    (tmp_path / "ca.pem").touch()
    with pytest.raises(TapewatchError, match="sslmode=disable"):
        connection("postgresql://me@db.example/tape?sslmode=disable", postgres_ca=tmp_path / "ca.pem")


def test_no_password_is_in_the_text_of_a_connection(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    found = postgres_connection(PostgresSettings(postgres_password_file=tmp_path / "password"))
    assert found.password is not None
    assert found.password.get_secret_value() == "secret"
    assert "secret" not in f"{found} {found!r}"
    assert str(found) == "127.0.0.1:5432/tapewatch"
