"""Which times of trades can be true: neither ahead of the clock, nor from before tapes were kept this way."""

import datetime as dt

from dashboard.settings import DashboardSettings

AHEAD_MIN = 2
"""Minutes that a trade may be ahead of the clock: clocks differ."""

EARLIEST = dt.date(1971, 1, 1)
"""Times in another unit than the one they are read in end in 1970; no tape is that old."""


def latest(now: dt.datetime | None = None) -> dt.datetime:
    """Return the latest time that a trade can have now, or at another time, UTC."""
    ahead = dt.timedelta(days=DashboardSettings().ahead_days, minutes=AHEAD_MIN)
    return (now or dt.datetime.now(dt.UTC)) + ahead


def latest_in_query() -> str:
    """Return the same as a query says it: by Elasticsearch's own clock, so that equal queries stay equal."""
    return f"now+{DashboardSettings().ahead_days}d+{AHEAD_MIN}m"
