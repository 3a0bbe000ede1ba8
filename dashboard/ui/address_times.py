"""Times as they stand in an address, UTC, and periods."""

import datetime as dt

from dashboard.ui import url_state
from dashboard.ui.time_ranges import ROLLING_NAMES, TimeRange

MINUTE = dt.timedelta(minutes=1)


def to_time(text: str) -> dt.datetime:
    """Read `2026-03-02T14:30Z`; without a zone it is UTC, too."""
    time = dt.datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)


def to_text(time: dt.datetime) -> str:
    """Write `2026-03-02T14:30Z`, with seconds or milliseconds where there are some."""
    text = time.isoformat(timespec="milliseconds" if time.microsecond else "seconds")
    return text.removesuffix("+00:00").removesuffix(":00") + "Z"


def read_period() -> str | None:
    """Return the name of the address's period: of the last minutes, else of a session or several."""
    return url_state.read("range", _to_rolling, None) or url_state.read("session", str, None)


def address_of_period(name: str | None) -> dict[str, str | None]:
    """Return the parts of the address that name a period; None for those that it does not have."""
    is_rolling = name in ROLLING_NAMES
    return {"session": None if is_rolling else name, "range": name if is_rolling else None}


def _to_rolling(text: str) -> str:
    if text not in ROLLING_NAMES:
        raise ValueError(text)
    return text


def whole_minutes(start: dt.datetime, end: dt.datetime) -> TimeRange:
    """Return the shortest range of whole minutes that has these times in it, one minute at least."""
    first = start.replace(second=0, microsecond=0)
    last = end.replace(second=0, microsecond=0)
    return TimeRange(first, max(last if last == end else last + MINUTE, first + MINUTE))
