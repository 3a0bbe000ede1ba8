"""One message for one channel: a revision of an alert, or a digest."""

from dataclasses import dataclass

from services.alerter.rules.model import Hours
from services.contracts.alert import Alert, Digest

Ident = int | str
"""What tells a channel's messages apart: the offset of a revision in `alerts`, or a digest's id."""


@dataclass(eq=False)
class Item:
    """A message that a channel is to send.

    Parameters
    ----------
    notice
        What is told.
    hours
        Of the routes that lead here; it is sent in any of them, and at any time if there are none.
    created_s
        When it was written, by Kafka's clock, in seconds since 1970.
    deadline_s
        No try after that, in seconds since 1970.
    offset
        The revision's place in `alerts`; -1 of a digest.
    attempts
        Tries so far.
    not_before_s
        No try before that, in seconds since 1970.
    """

    notice: Alert | Digest
    hours: tuple[Hours, ...]
    created_s: float
    deadline_s: float
    offset: int = -1
    attempts: int = 0
    not_before_s: float = 0.0

    @property
    def ident(self) -> Ident:
        """What tells it apart from the others of its channel."""
        return self.notice.digest_id if isinstance(self.notice, Digest) else self.offset

    @property
    def thread(self) -> str:
        """Messages of one thread are sent in their order: those of one alert."""
        return self.notice.digest_id if isinstance(self.notice, Digest) else self.notice.alert_id
