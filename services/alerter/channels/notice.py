"""What alerts and digests have in common for those who send them."""

import datetime as dt

from services.contracts.alert import Alert, AlertState, Digest, alert_key

ENDS = (AlertState.CLOSED, AlertState.WITHDRAWN)
"""States after which an alert is over."""


def key_of(notice: Alert | Digest) -> str:
    """Return what receivers tell messages apart by."""
    return alert_key(notice) if isinstance(notice, Alert) else notice.digest_id


def told_at(notice: Alert | Digest) -> str:
    """Return when it was decided, ISO 8601 UTC: the same on every try."""
    return (notice.decided_at or notice.last_time) if isinstance(notice, Alert) else notice.timestamp


def told_moment(notice: Alert | Digest) -> dt.datetime:
    """Return `told_at` to microseconds."""
    return dt.datetime.fromisoformat(told_at(notice)).astimezone(dt.UTC)


def type_of(notice: Alert | Digest) -> str:
    """Return what it is, as `alert.opened` or `alert.digest`."""
    return f"alert.{notice.state}" if isinstance(notice, Alert) else "alert.digest"


def shown(notice: Alert | Digest) -> Alert:
    """Return the alert that stands for it: itself, or a digest's worst one."""
    return notice if isinstance(notice, Alert) else notice.worst
