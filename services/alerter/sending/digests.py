"""What was held back, and the digest that tells of it."""

import hashlib
from dataclasses import dataclass, field

from services.alerter.rules.model import Hours, rank
from services.alerter.sending.budget import HOUR_S, Budget
from services.alerter.sending.routing import is_open
from services.alerter.times import iso_time
from services.contracts.alert import Alert, Digest, alert_key

OUTSIDE_HOURS = "it was outside the channel's hours"
MISSED = "Tapewatch was down or behind when they happened"

MISSED_QUIET_S = 10.0
"""Alerts that were missed are told when no further one has come for so long."""
MISSED_MOST_S = 300.0
"""Or so long after the first one."""


def used_up(per_hour: int) -> str:
    """Return the reason where a budget was used up."""
    return f"the budget of {per_hour} an hour was used up"


@dataclass
class HeldBack:
    """Revisions that one channel holds back for one reason, until a digest tells of them.

    Parameters
    ----------
    channel
        Its name.
    reason
        One of the reasons above.
    """

    channel: str
    reason: str
    offsets: list[int] = field(default_factory=list)
    """Where the revisions are in `alerts`, in the order in which they were held back."""
    hours: set[tuple[Hours, ...]] = field(default_factory=set)
    worst: Alert | None = None
    first_s: float = 0.0
    last_s: float = 0.0
    _first_key: str = ""
    _alerts: set[str] = field(default_factory=set)

    def add(self, alert: Alert, offset: int, hours: tuple[Hours, ...], now_s: float) -> None:
        """Hold a revision back."""
        if not self.offsets:
            self.first_s, self._first_key = now_s, alert_key(alert)
        self.last_s = now_s
        self.offsets.append(offset)
        self._alerts.add(alert.alert_id)
        self.hours.add(hours)
        if self.worst is None or _urgency(alert) > _urgency(self.worst):
            self.worst = alert

    def is_due(self, now_s: float, budget: Budget, told_s: float | None) -> bool:
        """Tell whether the channel may tell of them now.

        Parameters
        ----------
        now_s
            Now, in seconds since 1970.
        budget
            The channel's.
        told_s
            When the channel's last digest for this reason was made; None if that is an hour ago or more.
        """
        if not any(is_open(hours, now_s) for hours in self.hours):
            return False
        if self.reason == OUTSIDE_HOURS:
            return True
        if self.reason == MISSED:
            return now_s >= min(self.last_s + MISSED_QUIET_S, self.first_s + MISSED_MOST_S)
        # A full budget frees its places one by one; a digest for each would be as many messages again.
        return budget.has_room(now_s) and (told_s is None or now_s >= told_s + HOUR_S)

    def digest(self, now_s: float) -> Digest:
        """Return the digest; its id depends on what is in it, so it is never made twice."""
        assert self.worst is not None  # noqa: S101 - there is no digest of nothing
        text = "\0".join((self.channel, self.reason, self._first_key, str(self.offsets[0])))
        return Digest(
            timestamp=iso_time(now_s),
            digest_id=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
            channel=self.channel,
            count=len(self.offsets),
            alerts=len(self._alerts),
            reason=self.reason,
            worst=self.worst,
        )


def _urgency(alert: Alert) -> tuple[int, float]:
    return rank(alert.severity), alert.score
