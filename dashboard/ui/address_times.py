"""Times as they stand in an address, UTC."""

import datetime as dt

from dashboard.ui.time_ranges import TimeRange

MINUTE = dt.timedelta(minutes=1)


def to_time(text: str) -> dt.datetime:
    """Read `2026-03-02T14:30Z`; without a zone it is UTC, too."""
    time = dt.datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


def to_text(time: dt.datetime) -> str:
    """Write `2026-03-02T14:30Z`, with seconds or milliseconds where there are some."""
    text = time.isoformat(timespec="milliseconds" if time.microsecond else "seconds")
    return text.removesuffix("+00:00").removesuffix(":00") + "Z"


def whole_minutes(start: dt.datetime, end: dt.datetime) -> TimeRange:
    """Return the shortest range of whole minutes that has these times in it, one minute at least."""
    first = start.replace(second=0, microsecond=0)
    last = end.replace(second=0, microsecond=0)
    return TimeRange(first, max(last if last == end else last + MINUTE, first + MINUTE))
