"""What a venue is to a feed: how to connect, what its frames mean, how its history is asked.

A venue's file knows its protocol and nothing of reconnecting, gaps or Kafka. `decode` and `decode_page` are
pure: the same bytes give the same prints, so that a recorded session can be run again.
"""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol
from zoneinfo import ZoneInfo

from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.messages import Frame, HistoryRequest, Page
from services.sources.feeds.place import Place


class ConnectionLostError(Exception):
    """The connection ended, however it ended; says how."""


class RefusedError(Exception):
    """The venue does not let this feed in.

    Attributes
    ----------
    reason
        The venue's words.
    hint
        What to do; None if a later try may succeed.
    """

    def __init__(self, reason: str, hint: str | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class Connection(Protocol):
    """An open connection, to which a venue's own code has said all that there is to say."""

    async def receive(self) -> bytes:
        """Return the next frame; raises ConnectionLostError when there will be no more."""

    async def close(self) -> None:
        """Close it."""


class Venue(ABC):
    """A venue's protocol, for the symbols of one feed.

    Parameters
    ----------
    symbols
        As the venue writes them.
    url
        Scheme, host and port of the live feed (a protocol of its own: host and port); None for the venue's.
    rest_url
        Scheme, host and port of its history; None for the venue's.

    Attributes
    ----------
    name
        The feed's name, such as `coinbase` or `alpaca:iex`.
    heartbeat_s
        A live connection carries a record at least each so many seconds; None if the venue promises none.
    request_interval_s
        Least time between two questions for history.
    is_numbered
        Whether its history is asked by the numbers of prints, which count each symbol's without a gap.
    source
        What the trades' field `source` says, and their ids begin with.
    zone
        Where the venue's days begin at midnight.
    session_s
        The venue ends a connection after so long; it is renewed before. None if it does not.
    can_begin_earlier
        Whether its history may be asked from a time on of which nothing was published.
    watches_all
        Whether all symbols of the venue are watched, and `symbols` names none of them.
    """

    name: str
    heartbeat_s: ClassVar[float | None] = None
    request_interval_s: float = 0.2
    is_numbered: ClassVar[bool] = False
    source: ClassVar[str]
    zone: ClassVar[str] = "UTC"
    session_s: ClassVar[float | None] = None
    can_begin_earlier: ClassVar[bool] = False
    watches_all: bool = False

    def __init__(self, symbols: Sequence[str], url: str | None, rest_url: str | None) -> None:
        self.symbols = tuple(symbols)
        self.url = url
        self.rest_url = rest_url

    def day_ns(self, day: dt.date) -> tuple[int, int]:
        """Return where a day begins and where the next one does, in ns since 1970."""
        zone = ZoneInfo(self.zone)
        begins = [
            dt.datetime.combine(one, dt.time(), zone).timestamp() for one in (day, day + dt.timedelta(days=1))
        ]
        return int(begins[0]) * 10**9, int(begins[1]) * 10**9

    @abstractmethod
    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """Return what keeps a symbol complete."""

    def read_keys(self) -> None:  # noqa: B027 - not every venue asks for a key
        """Read the keys that `connect` and `history_headers` need.

        Raises
        ------
        TapewatchError
            One is missing.
        """

    def resume_from(self, places: Mapping[str, Place]) -> None:  # noqa: B027 - only a replayed stream
        """Take how far symbols were published, before `connect`: a venue that replays begins there."""

    @abstractmethod
    async def connect(self) -> Connection:
        """Connect, log in and subscribe.

        Raises
        ------
        ConnectionLostError
            It cannot be reached, or hung up.
        RefusedError
            It refuses the login or the subscription.
        """

    @abstractmethod
    def decode(self, raw: bytes) -> Frame:
        """Return what a frame holds; never raises for what a venue sends."""

    def history(self, wanted: Wanted) -> HistoryRequest | None:  # noqa: ARG002 - for those that have one
        """Return the first question for past prints; None for a venue that answers none."""
        return None

    def decode_page(self, request: HistoryRequest, body: bytes) -> Page:  # noqa: ARG002 - for those with one
        """Return what an answer holds.

        Raises
        ------
        ValueError
            It is no answer to this question; another try may bring one.
        RefusedError
            It says, with an HTTP status of success, that there will be none.
        """
        raise ValueError(f"{self.name} answers no questions about past prints")

    def history_headers(self) -> Mapping[str, str]:
        """Return the headers that a question needs, such as a key's."""
        return {}

    def refused_history(self, status: int, body: bytes) -> str | None:
        """Return why a question will not be answered later either; None if it is worth another try.

        Parameters
        ----------
        status
            HTTP status of 400 or more.
        body
            The answer's beginning.
        """
        if status in (400, 401, 403, 404, 410, 422):
            return f"the venue's history answers {status}: {body[:200].decode(errors='replace')}"
        return None
