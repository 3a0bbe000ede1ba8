"""What an error of Postgres means for whoever writes: wait, give a row up, or stop."""

import re
from enum import Enum

import psycopg


class Meaning(Enum):
    """What to do about an error."""

    WAIT = "wait"
    """Postgres cannot do it now: away, read-only, full, too many connections, a lock, a deadlock."""
    ROW = "row"
    """A value that Postgres never takes."""
    PERSON = "person"
    """Nothing helps but a change of the set-up: a login, a missing table, missing rights."""


_ROW_CLASSES = (
    "22",  # data: a type, a range, a byte that is no text
    "23",  # a constraint
    "54",  # a limit, as of an index entry's size
)
_PERSON_CLASSES = (
    "28",  # login
    "3D",  # no such database
    "3F",  # no such schema
    "42",  # no such table or column, or no right to it
)


def meaning_of(error: psycopg.Error) -> Meaning:
    """Return what an error means; anything unknown is waited for, since nothing is lost by that."""
    state = error.sqlstate or ""
    if state.startswith(_ROW_CLASSES):
        return Meaning.ROW
    if state.startswith(_PERSON_CLASSES):
        return Meaning.PERSON
    return Meaning.PERSON if not state and _is_refused_login(error) else Meaning.WAIT


def _is_refused_login(error: psycopg.Error) -> bool:
    """Tell whether a connection failed for good; libpq gives no state for that, only its text."""
    return _NEVER_ACCEPTED.search(str(error)) is not None


_NEVER_ACCEPTED = re.compile(
    "password authentication failed|no password supplied|no pg_hba.conf entry|certificate verify failed"
    "|does not match host name|server does not support SSL|root certificate file"
    '|(role|database) ".*" does not exist'
)
"""libpq writes them in English, but the server in its own language; another text is waited for."""


def brief(error: psycopg.Error) -> str:
    """Return an error in a line, without the row that it quotes."""
    return str(error).strip().partition("\n")[0][:300]
