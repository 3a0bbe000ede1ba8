"""Many short texts at once: their bytes for compiled code, and the times that they say."""

import numpy as np
from numba import njit

from services.contracts.trade import FIRST_YEAR, LAST_YEAR

NO_TIME = -1
"""In the place of a text that is no time."""

_FIRST_YEAR, _LAST_YEAR = int(FIRST_YEAR), int(LAST_YEAR)
_LEAST_LENGTH = 20
"""Of `1970-01-01T00:00:00Z`."""


def joined(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes of texts one after the other, uint8, and where each ends, int64, shape (n,)."""
    text = "".join(texts)
    if text.isascii():
        encoded, lengths = text.encode(), map(len, texts)
    else:
        parts = [one.encode() for one in texts]
        encoded, lengths = b"".join(parts), map(len, parts)
    ends = np.cumsum(np.fromiter(lengths, np.int64, len(texts)))
    return np.frombuffer(encoded, np.uint8), ends


def parse_times(texts: list[str]) -> np.ndarray:
    """Return times in the form of `services.contracts.trade.ISO_TIME` as ns since 1970, int64, shape (n,).

    `NO_TIME` where a text has another form, or is on a day that no calendar has, or not from 1970 to 2261.
    """
    return _parse_times(*joined(texts))


@njit(cache=True)
def _parse_times(text: np.ndarray, ends: np.ndarray) -> np.ndarray:
    found = np.empty(len(ends), np.int64)
    start = 0
    for i in range(len(ends)):
        found[i] = _parse_time(text, start, ends[i])
        start = ends[i]
    return found


@njit(cache=True)
def _parse_time(text: np.ndarray, start: int, end: int) -> int:
    if end - start < _LEAST_LENGTH or text[end - 1] != 90:  # Z
        return NO_TIME
    year = _number(text, start, 4)
    month = _number(text, start + 5, 2)
    day = _number(text, start + 8, 2)
    hour = _number(text, start + 11, 2)
    minute = _number(text, start + 14, 2)
    second = _number(text, start + 17, 2)
    is_form = (
        text[start + 4] == 45  # -
        and text[start + 7] == 45
        and text[start + 10] == 84  # T
        and text[start + 13] == 58  # :
        and text[start + 16] == 58
    )
    is_range = (
        _FIRST_YEAR <= year <= _LAST_YEAR
        and 1 <= month <= 12
        and 1 <= day <= _days_of(year, month)
        and 0 <= hour <= 23
        and 0 <= minute <= 59
        and 0 <= second <= 59
    )
    if not is_form or not is_range:
        return NO_TIME
    fraction = 0
    digits = end - start - _LEAST_LENGTH - 1
    if digits >= 0:
        if text[start + 19] != 46 or not 1 <= digits <= 9:  # .
            return NO_TIME
        fraction = _number(text, start + _LEAST_LENGTH, digits)
        if fraction < 0:
            return NO_TIME
        for _ in range(9 - digits):
            fraction *= 10
    seconds = ((_day_number(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    return seconds * 1_000_000_000 + fraction


@njit(cache=True)
def _number(text: np.ndarray, start: int, digits: int) -> int:
    """Return a number of so many digits; -1 if something else is among them."""
    number = 0
    for at in range(start, start + digits):
        digit = int(text[at]) - 48
        if not 0 <= digit <= 9:
            return -1
        number = number * 10 + digit
    return number


@njit(cache=True)
def _days_of(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


@njit(cache=True)
def _day_number(year: int, month: int, day: int) -> int:
    """Return days since 1970; a year is counted from March, so that a leap day is its last one."""
    year -= month <= 2
    months_since_march = (month + 9) % 12
    leap_days = year // 4 - year // 100 + year // 400
    return 365 * year + leap_days + (153 * months_since_march + 2) // 5 + day - 1 - 719_468
