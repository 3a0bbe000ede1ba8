"""Gives a revision of an alert what depends on the clock of the wall: whether it is to be sent."""

import datetime as dt
from collections.abc import Callable

import msgspec

from services.alerter.live.links import links_to
from services.alerter.live.settings import AlerterSettings
from services.alerter.seen import Seen, ns_of
from services.contracts.alert import Alert, AlertState, Sending
from services.contracts.iso_time import iso_utc

STALE_S = 15 * 60
"""Nobody is told of trades that are older than that, in event time."""

_SECOND_NS = 1_000_000_000


def utc_now() -> dt.datetime:
    """Return the time."""
    return dt.datetime.now(dt.UTC)


class Finisher:
    """Finishes revisions; see `services.alerter.deciding.decider.Finish`.

    Parameters
    ----------
    settings
        Where alerts link to.
    send_old
        Whether old trades are told like new ones.
    now
        The clock.
    """

    def __init__(
        self, settings: AlerterSettings, send_old: bool, now: Callable[[], dt.datetime] = utc_now
    ) -> None:
        self._settings = settings
        self._send_old = send_old
        self._now = now

    def __call__(self, alert: Alert, seen: Seen | None, was_due: bool) -> Alert:
        """Return the revision with its links, and whether it is to be sent.

        An alert that opens or grows is sent unless its last trade is old, or was judged before a reset; what
        follows without an anomaly, or after its end, is sent to those who were told of the alert before.
        """
        now = self._now()
        is_news = seen is not None and alert.state in (AlertState.OPENED, AlertState.GREW)
        is_old = _is_old(alert, now) or (seen is not None and seen.is_judged_again)
        is_due = (self._send_old or not is_old) if is_news else was_due
        return msgspec.structs.replace(
            alert,
            links=links_to(alert.worst.trade, self._settings),
            sending=Sending.DUE if is_due else Sending.STALE,
            is_missed=not is_due and is_news and seen is not None and _came_live(seen),
            decided_at=iso_utc(now),
        )


def _is_old(alert: Alert, now: dt.datetime) -> bool:
    return now.timestamp() - ns_of(alert.last_time) / _SECOND_NS > STALE_S


def _came_live(seen: Seen) -> bool:
    """Tell whether an anomaly's trade came into the topic about when it happened."""
    if seen.is_judged_again or seen.trade_time_ms is None:
        return False
    return abs(seen.trade_time_ms / 1e3 - seen.event_ns / _SECOND_NS) <= STALE_S
