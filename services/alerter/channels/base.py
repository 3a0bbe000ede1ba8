"""What a channel is: a way to people. It turns an alert or a digest into one message, and sends it.

The message depends on the alert or digest and on the channel's options alone, so every try sends the same
bytes, also after a restart. A channel keeps nothing, and tries once: when to try again is the sender's.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from services.contracts.alert import Alert, Digest


@dataclass(frozen=True)
class Message:
    """What is sent.

    Parameters
    ----------
    key
        What the receiver tells messages apart by: `<alert_id>.<revision>`, or a digest's id.
    body
        The same bytes on every try.
    headers
        Of the request, where the channel has requests; signatures are not among them.
    """

    key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Accepted:
    """The receiver has taken it."""

    status: int | None = None


@dataclass(frozen=True)
class Failed:
    """It may succeed later.

    Parameters
    ----------
    reason
        A sentence without its full stop and without any secret.
    status
        HTTP status, or the mail server's, where there was an answer.
    retry_after_s
        How long the receiver asks to wait; None if it does not say.
    """

    reason: str
    status: int | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Gone:
    """The receiver wants nothing more, ever: the channel is switched off until a restart."""

    reason: str
    status: int | None = None


Answer = Accepted | Failed | Gone


class Channel(ABC):
    """One channel of a rules file.

    Parameters
    ----------
    name
        Its name in the file.
    options
        What the file says of it besides kind and budget.

    Raises
    ------
    ValueError
        An option is missing, unknown or impossible; the message is a sentence that names it, without any
        secret.
    TapewatchError
        A file with a secret cannot be read.
    """

    kind: ClassVar[str]
    """Its key in the registry."""
    options: ClassVar[type[msgspec.Struct]]
    """What the file may say of it."""

    @abstractmethod
    def __init__(self, name: str, options: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def message(self, notice: Alert | Digest) -> Message:
        """Return what is sent for an alert's revision or a digest; no clock, no randomness."""

    @abstractmethod
    def send(self, message: Message) -> Answer:
        """Send once, within the channel's time limit; called in the channel's own thread.

        Whatever goes wrong outside is an answer, not an exception.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to release
        """Release connections."""
