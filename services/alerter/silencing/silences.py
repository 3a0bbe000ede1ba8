"""Silences: which of them keeps a revision from a channel, and how they are made and ended."""

import uuid

import msgspec

from services.alerter.rules.model import fits_one, rank
from services.alerter.times import iso_time, to_seconds
from services.contracts.alert import Alert, Matcher, Silence


class Silences:
    """The newest state of every silence, as far as the topic was read."""

    def __init__(self) -> None:
        self._by_id: dict[str, tuple[Silence, float]] = {}

    def put(self, silence: Silence) -> None:
        """Take a message of the topic; of one id the newest counts.

        Raises
        ------
        ValueError
            The time of its end is none, or it would hold back every alert without saying so.
        """
        if silence.matcher == Matcher():
            raise ValueError("it does not say which alerts it is about")
        # Whoever ended it may have a clock that is ahead.
        until_s = 0.0 if silence.expired_by is not None else to_seconds(silence.expires_at)
        self._by_id[silence.silence_id] = (silence, until_s)

    def all(self) -> list[Silence]:
        """Return all silences, in the order in which they were first made."""
        return [silence for silence, _ in self._by_id.values()]

    def open_at(self, now_s: float) -> list[Silence]:
        """Return those in force at a time, in seconds since 1970."""
        return [silence for silence, until_s in self._by_id.values() if now_s < until_s]

    def matching(self, alert: Alert, channel: str, now_s: float) -> Silence | None:
        """Return a silence in force that keeps a revision from a channel; None without one."""
        for silence in self.open_at(now_s):
            if matches(silence.matcher, alert, channel):
                return silence
        return None


def matches(matcher: Matcher, alert: Alert, channel: str) -> bool:
    """Tell whether a silence is about a revision on a channel."""
    return (
        fits_one(tuple(matcher.symbols), alert.symbol)
        and (not matcher.labels or not set(matcher.labels).isdisjoint(alert.labels))
        and (not matcher.rules or alert.rule in matcher.rules)
        and (not matcher.channels or channel in matcher.channels)
        and (matcher.below is None or rank(alert.severity) < rank(matcher.below))
    )


def new_silence(matcher: Matcher, for_s: float, reason: str, author: str, now_s: float) -> Silence:
    """Return a silence that begins now.

    Parameters
    ----------
    matcher
        Which alerts.
    for_s
        How long, in seconds.
    reason, author
        Why, and who says so.
    now_s
        Now, in seconds since 1970.
    """
    return Silence(
        timestamp=iso_time(now_s),
        silence_id=uuid.uuid4().hex[:12],
        matcher=matcher,
        expires_at=iso_time(now_s + for_s),
        reason=reason,
        author=author,
    )


def ended(silence: Silence, author: str, now_s: float) -> Silence:
    """Return a silence as it is when somebody ends it now."""
    return msgspec.structs.replace(silence, expires_at=iso_time(now_s), expired_by=author)


def seconds_left(silence: Silence, now_s: float) -> float:
    """Return how long a silence is still in force; 0 or less if it is over.

    Raises
    ------
    ValueError
        The time of its end is none.
    """
    return to_seconds(silence.expires_at) - now_s
