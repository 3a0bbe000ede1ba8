"""Seconds since 1970 as the topics write them, and back."""

import datetime as dt

from services.contracts.iso_time import iso_utc


def iso_time(at_s: float) -> str:
    """Write a time as ISO 8601, UTC, to the microsecond."""
    return iso_utc(dt.datetime.fromtimestamp(at_s, dt.UTC))


def to_seconds(text: str) -> float:
    """Read an ISO 8601 time; one without a zone is UTC.

    Raises
    ------
    ValueError
        It is not one.
    """
    at = dt.datetime.fromisoformat(text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=dt.UTC)).timestamp()
