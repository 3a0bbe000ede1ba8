"""Gives roles the passwords that are in files; the server and its log never see one in clear."""

import base64
import hashlib
import hmac
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from infra.setup.passwords import given_passwords
from services.contracts.postgres import READER_ROLE, WRITER_ROLE


def set_up_passwords(session: "psycopg.Connection[TupleRow]", folder: Path | None) -> list[str]:
    """Make roles have the passwords that are given; returns one line for each change.

    Parameters
    ----------
    session
        Of the user that created the roles. Only a superuser sees whether a password is the one that is given;
        another one sets it each time.
    folder
        Has `ROLE.password` for each role that logs in with one; None for none.

    Raises
    ------
    TapewatchError
        A file is empty or cannot be read.
    """
    if folder is None:
        return []
    passwords = given_passwords(folder, (WRITER_ROLE, READER_ROLE), "TAPEWATCH_POSTGRES_SECRETS_DIR")
    changes = []
    for role, password in passwords.items():
        current = _verifier(session, role)
        if current is not None and is_password(current, password):
            continue
        verifier = session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        session.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
        )
        changes.append(f"set the password of role {role}")
    return changes


def _verifier(session: "psycopg.Connection[TupleRow]", role: str) -> str | None:
    try:
        row = session.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role]).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return None if row is None else row[0]


def is_password(verifier: str, password: str) -> bool:
    """Tell whether a SCRAM verifier, as Postgres stores it, is one of a password (RFC 5802).

    Parameters
    ----------
    verifier
        `SCRAM-SHA-256$ITERATIONS:SALT$STORED_KEY:SERVER_KEY`; for any other form the answer is no.
    password
        In printable ASCII: another one may be prepared differently, and then the answer is no.
    """
    try:
        scheme, cost, keys = verifier.split("$")
        iterations, salt = cost.split(":")
        stored_key = base64.b64decode(keys.split(":")[0])
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    except ValueError:
        return False
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return scheme == "SCRAM-SHA-256" and hmac.compare_digest(hashlib.sha256(client_key).digest(), stored_key)
