import psycopg
import pytest

from infra.postgres.passwords import is_password


def test_only_its_own_password_fits_a_verifier() -> None:
    verifier = (
        psycopg.pq.PGconn.connect_start(b"").encrypt_password(b"right", b"me", b"scram-sha-256").decode()
    )
    assert is_password(verifier, "right")
    assert not is_password(verifier, "wrong")


@pytest.mark.parametrize("verifier", ["", "md5abc", "SCRAM-SHA-256$x:y$z", "SCRAM-SHA-256$1:!$!:!"])
def test_another_form_fits_no_password(verifier: str) -> None:
    assert not is_password(verifier, "right")
