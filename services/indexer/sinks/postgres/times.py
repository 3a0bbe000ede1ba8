"""Times of messages as columns have them: the day, the microsecond, and all of the nanoseconds."""

import calendar
import datetime as dt
from functools import lru_cache
from typing import NamedTuple

from services.contracts.trade import FIRST_YEAR, ISO_TIME, LAST_YEAR
from services.indexer.sinks.base import RejectedRecordError

_SECOND_CHARS = len("2024-12-02T14:30:01")
_MICROSECOND_CHARS = len("2024-12-02T14:30:01.000000")
_NANOSECOND_CHARS = len("2024-12-02T14:30:01.000000007Z")
_SECONDS_KEPT = 65_536
NS = 1_000_000_000


class Moment(NamedTuple):
    """One time."""

    day: str
    """`YYYY-MM-DD`, UTC."""
    time: str
    """To the microsecond, cut: rounded, the last trade before midnight would be of another day."""
    ns: int
    """Since 1970."""


def moment_of(name: str, text: str) -> Moment:
    """Return a time in the forms of columns.

    Parameters
    ----------
    name
        The field's name, for errors.
    text
        ISO 8601 UTC, up to nanoseconds.

    Raises
    ------
    RejectedRecordError
        It is not such a time, of a day that is in the calendar, or not from 1970 to 2261.
    """
    return Moment(text[:10], time_of(text), ns_of(name, text))


def time_of(text: str) -> str:
    """Return a time that `ns_of` has taken, cut to the microsecond."""
    return text if len(text) <= _MICROSECOND_CHARS + 1 else f"{text[:_MICROSECOND_CHARS]}Z"


def ns_of(name: str, text: str) -> int:
    """Return nanoseconds since 1970; see `moment_of`."""
    digits = text[_SECOND_CHARS + 1 : -1]
    if not (
        len(text) == _NANOSECOND_CHARS
        and text[_SECOND_CHARS] == "."
        and text[-1] == "Z"
        and digits.isdecimal()
        and digits.isascii()
    ):
        if not ISO_TIME.fullmatch(text):
            raise RejectedRecordError(f"{name} is not an ISO 8601 UTC time ({text[:60]!r})")
        digits = digits.ljust(9, "0")
    return _second_ns(name, text[:_SECOND_CHARS]) + int(digits)


@lru_cache(_SECONDS_KEPT)
def _second_ns(name: str, second: str) -> int:
    if not ISO_TIME.fullmatch(f"{second}Z"):
        raise RejectedRecordError(f"{name} is not an ISO 8601 UTC time ({second!r})")
    if not FIRST_YEAR <= second[:4] <= LAST_YEAR:
        raise RejectedRecordError(f"{name} is not from {FIRST_YEAR} to {LAST_YEAR}")
    try:
        at = dt.datetime.fromisoformat(second)
    except ValueError as error:
        raise RejectedRecordError(f"no calendar has the day of {name} ({error})") from error
    return calendar.timegm(at.timetuple()) * NS
