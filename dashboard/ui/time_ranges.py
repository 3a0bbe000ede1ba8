"""Times of the page: sessions in the exchange's time zone, ranges, and the width of a chart's bucket."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from dashboard.ui.clock import Clock
from dashboard.ui.exchange import exchange

MAX_BUCKETS = 600
"""Largest number of buckets in a chart, however long its time range."""

MAX_CANDLES = 150
"""More would be too narrow to tell a body from a wick."""

BUCKETS_S = (
    *(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200),
)
DAY_S = 86_400

LIVE_WITHIN = dt.timedelta(hours=12)
"""A tape whose newest trade is older is of an earlier day: a replay, or over."""

_SPANS = (5, 20)
_HOUR = dt.timedelta(hours=1)
_FIVE_MINUTES = dt.timedelta(minutes=5)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class TimeRange:
    """From `start` up to, not including, `end`; both UTC."""

    start: dt.datetime
    end: dt.datetime


def within(wanted: TimeRange | None, longest: TimeRange) -> TimeRange:
    """Return what is shown of the longest range: the part that is wanted.

    Parameters
    ----------
    wanted
        What reaches past the ends is left out; None, or one that is outside, for the whole.
    longest
        The whole.
    """
    if wanted is None:
        return longest
    start, end = max(wanted.start, longest.start), min(wanted.end, longest.end)
    return TimeRange(start, end) if start < end else longest


@dataclass(frozen=True)
class Period:
    """Trading days from `first` to `last`, both included."""

    first: dt.date
    last: dt.date
    sessions: int = 1
    """How many days of them had trades."""

    @property
    def title(self) -> str:
        """Title in the list of sessions."""
        if self.sessions > 1:
            return f"Last {self.sessions} sessions"
        return f"{self.first:%a} {self.first.day} {self.first:%b %Y}"

    @property
    def name(self) -> str:
        """Value in the address of a view: a date, or `last-5`."""
        return f"last-{self.sessions}" if self.sessions > 1 else self.first.isoformat()

    @property
    def time_range(self) -> TimeRange:
        """From midnight to midnight at the exchange."""
        return TimeRange(_midnight(self.first), _midnight(self.last + dt.timedelta(days=1)))


@dataclass(frozen=True)
class Rolling:
    """The last minutes, which move on: up to the clock while the tape is live, else to its newest trade."""

    name: str
    """Value in the address of a view, such as `15m`."""
    words: str
    """Such as `15 minutes`."""
    length: dt.timedelta
    step: dt.timedelta
    """The end is a multiple of it, so that charts do not move at every refresh."""
    end: dt.datetime
    """UTC; not included."""
    sessions: int = 1

    @property
    def title(self) -> str:
        """Title in the list of sessions."""
        return f"Last {self.words}"

    @property
    def time_range(self) -> TimeRange:
        """So long up to the end."""
        return TimeRange(self.end - self.length, self.end)


_ROLLING = (
    ("15m", "15 minutes", dt.timedelta(minutes=15), dt.timedelta(minutes=1)),
    ("1h", "hour", dt.timedelta(hours=1), dt.timedelta(minutes=5)),
)
ROLLING_NAMES = tuple(name for name, *_ in _ROLLING)


AnyPeriod = TypeVar("AnyPeriod", bound=Period | Rolling)


def rolling(newest: dt.datetime, now: dt.datetime) -> list[Rolling]:
    """List the ranges that move on.

    Parameters
    ----------
    newest
        Time of the newest trade that is not of the future.
    now
        UTC. What is less than `LIVE_WITHIN` from it is live: a tape that stops leaves its last minutes empty.
    """
    last = now if abs(now - newest) < LIVE_WITHIN else newest
    return [
        Rolling(name, words, length, step, _floor(last, step) + step)
        for name, words, length, step in _ROLLING
    ]


def periods(sessions: Sequence[dt.date]) -> list[Period]:
    """List what can be looked at.

    Parameters
    ----------
    sessions
        Days with trades, newest first.

    Returns
    -------
    list of Period
        Each session, newest first, and after it the spans of several newest ones.
    """
    single = [Period(day, day) for day in sessions]
    lengths = sorted({min(length, len(sessions)) for length in _SPANS} - {0, 1})
    return single + [Period(sessions[length - 1], sessions[0], length) for length in lengths]


def find_period(choices: Sequence[AnyPeriod], name: str | None) -> AnyPeriod | None:
    """Return the period of this name; of `last-5` the longest span, where there are fewer sessions.

    Parameters
    ----------
    choices
        As `periods` and `rolling` list them.
    name
        As an address has it.
    """
    found = next((period for period in choices if period.name == name), None)
    if found is None and name in {f"last-{length}" for length in _SPANS}:
        return max(choices, key=lambda period: (isinstance(period, Period), period.sessions))
    return found


def session_of(time: dt.datetime) -> Period:
    """Return the session of a time, UTC: the exchange's day."""
    day = time.astimezone(exchange().zone).date()
    return Period(day, day)


def whole_of(period: Period | Rolling, first: dt.datetime, last: dt.datetime) -> TimeRange:
    """Return what is shown of a period unless a part is chosen.

    Parameters
    ----------
    period
        Sessions are shown from their first trade to their last, the last minutes as they are.
    first, last
        Times of the first and the last trade, UTC.
    """
    return period.time_range if isinstance(period, Rolling) else to_round_times(first, last)


def to_round_times(first: dt.datetime, last: dt.datetime) -> TimeRange:
    """Widen the times of the first and the last trade to round ones, which stay put while trades arrive.

    Full hours; within the first hour of a session full five minutes, so that a live feed that has just begun
    fills its chart.
    """
    step = _HOUR if last - first >= _HOUR else _FIVE_MINUTES
    return TimeRange(_floor(first, step), _floor(last, step) + step)


def _floor(time: dt.datetime, step: dt.timedelta) -> dt.datetime:
    return time - (time - _EPOCH) % step


def bucket_width_s(time_range: TimeRange, most: int = MAX_BUCKETS) -> float:
    """Return the smallest round number of seconds, or part of one, for `most` buckets at most.

    Buckets begin at multiples of their width, so a range that does not has a part of one more: the width
    leaves room for it.
    """
    span_s = (time_range.end - time_range.start).total_seconds()
    for width_s in BUCKETS_S:
        if span_s <= width_s * (most - 1):
            return width_s
    days = -int(-span_s // (DAY_S * (most - 1)))
    return days * DAY_S


def clock_js(time_range: TimeRange, clock: Clock) -> str:
    """Return an expression of Vega that turns `datum.value` into a clock's time, as if that were UTC.

    Vega knows UTC and the browser's zone only. The clock may be put forward or back within the range.
    """
    zone = clock.zone
    hours = int((time_range.end - time_range.start) / _HOUR) + 1
    expression = ""
    offset_ms = None
    for hour in range(hours, -1, -1):
        time = time_range.start + hour * _HOUR
        before = offset_ms
        offset_ms = int((time.astimezone(zone).utcoffset() or dt.timedelta()).total_seconds() * 1000)
        if before is None:
            expression = str(offset_ms)
        elif before != offset_ms:
            changed_ms = int((time + _HOUR).replace(minute=0, second=0, microsecond=0).timestamp() * 1000)
            expression = f"(datum.value < {changed_ms} ? {offset_ms} : {expression})"
    return f"toNumber(datum.value) + {expression}"


def ago(seconds: float) -> str:
    """Say how long ago something was, such as `3 s`, `12 min`, `5 h` or `719 days`."""
    seconds = max(seconds, 0.0)
    for limit, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (2 * DAY_S, 3600, "h")):
        if seconds < limit:
            return f"{int(seconds / unit_s)} {unit}"
    return f"{int(seconds / DAY_S):,} days"


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), exchange().zone).astimezone(dt.UTC)
