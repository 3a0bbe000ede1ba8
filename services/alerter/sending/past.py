"""What the records in `alert-deliveries` say of messages that may have work left, after a restart."""

from dataclasses import dataclass, field

from services.alerter.sending.budget import HOUR_S
from services.alerter.times import to_seconds
from services.contracts.alert import Delivery, Digest, Outcome

FINAL = (Outcome.SENT, Outcome.SILENCED, Outcome.DEAD)
"""Nothing is done after one of these."""


@dataclass
class Standing:
    """How far a channel is with a message.

    Parameters
    ----------
    outcome
        Of its newest record.
    attempts
        Tries so far.
    retry_at_s
        When it is tried next, in seconds since 1970.
    reason
        Why it is not sent, or was not accepted.
    is_told
        Of one that was held back: whether a digest counts it.
    """

    outcome: Outcome
    attempts: int = 0
    retry_at_s: float = 0.0
    reason: str = ""
    is_told: bool = False

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.is_told if self.outcome is Outcome.HELD else self.outcome in FINAL


@dataclass
class PastDigest:
    """A digest that was made, and how far its channel is with it."""

    digest: Digest
    record: int
    """Where it is in `alert-deliveries`."""
    standing: Standing


@dataclass
class Past:
    """Collects records in their order.

    Attributes
    ----------
    digests
        By id.
    first_records
        By a revision's offset in `alerts`: where its first record is.
    tries
        The first tries of the last hour's messages, digests aside: channel, and seconds since 1970.
    told_s
        By channel and reason: when the newest digest was made, in seconds since 1970.
    recent
        The last hour's records: seconds since 1970, and the place in `alert-deliveries`.
    """

    now_s: float
    digests: dict[str, PastDigest] = field(default_factory=dict)
    first_records: dict[int, int] = field(default_factory=dict)
    tries: list[tuple[str, float]] = field(default_factory=list)
    told_s: dict[tuple[str, str], float] = field(default_factory=dict)
    recent: list[tuple[float, int]] = field(default_factory=list)
    _standings: dict[tuple[str, int], Standing] = field(default_factory=dict)
    _untold: dict[tuple[str, str], dict[int, Standing]] = field(default_factory=dict)
    """What is held back by channel and reason, and by its offset in `alerts`."""

    def add(self, delivery: Delivery, record: int | None) -> None:
        """Take the next record.

        Parameters
        ----------
        delivery
            What it says.
        record
            Its place in `alert-deliveries`; None if it is not written yet.

        Raises
        ------
        ValueError
            One of its times is none.
        """
        at_s = to_seconds(delivery.timestamp)
        if record is not None and at_s > self.now_s - HOUR_S:
            self.recent.append((at_s, record))
        if delivery.digest is not None:
            self._add_digest(delivery, delivery.digest, record, at_s)
        elif delivery.alert_offset is not None:
            self._add_revision(delivery, delivery.alert_offset, record, at_s)

    def _add_revision(self, delivery: Delivery, offset: int, record: int | None, at_s: float) -> None:
        if record is not None:
            self.first_records.setdefault(offset, record)
        if delivery.attempt == 1 and at_s > self.now_s - HOUR_S:
            self.tries.append((delivery.channel, at_s))
        standing = self._standings.setdefault((delivery.channel, offset), Standing(delivery.outcome))
        if standing.is_done:  # a late record of a sender that was replaced
            return
        _advance(standing, delivery)
        if delivery.outcome is Outcome.HELD:
            self._untold.setdefault((delivery.channel, delivery.reason or ""), {})[offset] = standing

    def _add_digest(self, delivery: Delivery, digest: Digest, record: int | None, at_s: float) -> None:
        past = self.digests.get(digest.digest_id)
        if past is None:
            past = PastDigest(digest, record or 0, Standing(delivery.outcome))
            self.digests[digest.digest_id] = past
        if delivery.outcome is Outcome.QUEUED:
            self.told_s[digest.channel, digest.reason] = at_s
            for standing in self._untold.pop((digest.channel, digest.reason), {}).values():
                standing.is_told = True
        elif not past.standing.is_done:
            _advance(past.standing, delivery)

    def take(self, channel: str, offset: int) -> Standing | None:
        """Return how far a channel is with a revision, once; None if no record says so."""
        return self._standings.pop((channel, offset), None)

    def is_complete(self, channel: str, reason: str, next_offset: int) -> bool:
        """Tell whether all that a channel holds back for a reason is before the next revision that is read.

        A digest counts everything that was held back before it, so it is not made earlier. What leads to
        the channel no more, by other rules, or is no more in the topic, does not count.
        """
        return max(self._untold.get((channel, reason), ()), default=-1) < next_offset


def _advance(standing: Standing, delivery: Delivery) -> None:
    standing.outcome = delivery.outcome
    standing.reason = delivery.reason or ""
    standing.attempts = max(standing.attempts, delivery.attempt)
    standing.retry_at_s = to_seconds(delivery.retry_at) if delivery.retry_at else 0.0
