"""Times of the page: sessions in the exchange's time zone, ranges, and the width of a chart's bucket."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.ui.exchange import exchange

MAX_BUCKETS = 600
"""Largest number of buckets in a chart, however long its time range."""

MAX_CANDLES = 150
"""More would be too narrow to tell a body from a wick."""

BUCKETS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)
DAY_S = 86_400

_SPANS = (5, 20)
_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class TimeRange:
    """From `start` up to, not including, `end`; both UTC."""

    start: dt.datetime
    end: dt.datetime


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


def to_full_hours(first: dt.datetime, last: dt.datetime) -> TimeRange:
    """Widen the times of the first and the last trade to full hours, which stay put while trades arrive."""
    start = first.replace(minute=0, second=0, microsecond=0)
    return TimeRange(start, last.replace(minute=0, second=0, microsecond=0) + _HOUR)


def bucket_width_s(time_range: TimeRange, most: int = MAX_BUCKETS) -> int:
    """Return the smallest round number of seconds that cuts a range into `most` buckets at most.

    Buckets begin at multiples of their width, so a range that does not has a part of one more: the width
    leaves room for it.
    """
    span_s = (time_range.end - time_range.start).total_seconds()
    for width_s in BUCKETS_S:
        if span_s <= width_s * (most - 1):
            return width_s
    days = -int(-span_s // (DAY_S * (most - 1)))
    return days * DAY_S


def at_exchange(time_range: TimeRange) -> str:
    """Say when a range is at the exchange, such as `04:00 to 20:00 in New York`."""
    zone = exchange().zone
    start, end = time_range.start.astimezone(zone), time_range.end.astimezone(zone)
    is_one_day = start.date() == (end - dt.timedelta(microseconds=1)).date()
    form = "%H:%M" if is_one_day else "%d %b %H:%M"
    return f"{start:{form}} to {end:{form}} in {exchange().city}"


def exchange_clock_js(time_range: TimeRange) -> str:
    """Return an expression of Vega that turns `datum.value` into the exchange's clock, as if that were UTC.

    Vega knows UTC and the browser's zone only. The clock may be put forward or back within the range.
    """
    zone = exchange().zone
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
