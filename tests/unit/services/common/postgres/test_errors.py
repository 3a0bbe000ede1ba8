import psycopg
import pytest

from services.common.postgres.errors import Meaning, brief, meaning_of


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("22P02", Meaning.ROW),  # no number
        ("22021", Meaning.ROW),  # NUL in a text
        ("23514", Meaning.ROW),  # a check
        ("54000", Meaning.ROW),  # too long for an index
        ("53100", Meaning.WAIT),  # disk full
        ("53200", Meaning.WAIT),  # out of memory
        ("53300", Meaning.WAIT),  # too many connections
        ("25006", Meaning.WAIT),  # read-only
        ("25P03", Meaning.WAIT),  # idle in a transaction
        ("40P01", Meaning.WAIT),  # deadlock
        ("55P03", Meaning.WAIT),  # lock timeout
        ("57P01", Meaning.WAIT),  # ended by an administrator
        ("57P03", Meaning.WAIT),  # starting up
        ("58030", Meaning.WAIT),  # a disk's error
        ("42P01", Meaning.PERSON),  # no table
        ("42501", Meaning.PERSON),  # no right
        ("28P01", Meaning.PERSON),  # wrong password
        ("3D000", Meaning.PERSON),  # no database
    ],
)
def test_each_state_has_its_meaning(state: str, meaning: Meaning) -> None:
    assert meaning_of(psycopg.errors.lookup(state)("why")) is meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("connection refused", Meaning.WAIT),
        ('FATAL:  too many connections for role "tapewatch_writer"', Meaning.WAIT),
        ("FATAL:  the database system is starting up", Meaning.WAIT),
        ('FATAL:  password authentication failed for user "me"', Meaning.PERSON),
        ('FATAL:  database "tape" does not exist', Meaning.PERSON),
        ("server does not support SSL, but SSL was required", Meaning.PERSON),
    ],
)
def test_a_connection_that_failed_is_judged_by_its_text(text: str, meaning: Meaning) -> None:
    assert meaning_of(psycopg.OperationalError(text)) is meaning


def test_an_error_is_told_in_a_line() -> None:
    assert brief(psycopg.OperationalError("why\nDETAIL:  the row")) == "why"
