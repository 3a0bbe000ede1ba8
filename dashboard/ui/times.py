"""Times as text: by the chosen clock in tables and texts, in UTC in tooltips and exports."""

import datetime as dt

import pandas as pd

from dashboard.ui.clock import UTC_CLOCK
from dashboard.ui.zone import zone


def format_times(times: pd.Series) -> pd.Series:
    """Write times as `2026-03-02 15:30:34.883`, by the chosen clock."""
    return _to_texts(zone().local(times))


def format_utc(times: pd.Series) -> pd.Series:
    """Write times in the same form, in UTC."""
    return _to_texts(UTC_CLOCK.local(times))


def format_time(time: dt.datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write one time by the chosen clock, with the clock's name, such as `2026-03-02 15:30:34 UTC`."""
    return f"{time.astimezone(zone().zone):{form}} {zone().city}"


def format_span(start: dt.datetime, end: dt.datetime) -> str:
    """Write from when to when by the chosen clock, such as `15:30 to 16:00`; with days if there are two."""
    first, last = (time.astimezone(zone().zone) for time in (start, end))
    form = "%H:%M" if first.date() == last.date() else "%-d %b %H:%M"
    return f"{first:{form}} to {last:{form}}"


def _to_texts(times: pd.Series) -> pd.Series:
    texts: pd.Series = times.dt.strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3]
    return texts
