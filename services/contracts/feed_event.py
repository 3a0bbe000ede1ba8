"""An event of a feed as the topic `feed-events` carries it; never an input of detection."""

from typing import Literal

import msgspec

EventName = Literal[
    "connected", "lost", "silent", "gap_opened", "gap_filled", "gap_lost", "halt", "resume", "slow_reader"
]


class FeedEvent(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={"timestamp": "@timestamp", "start": "from", "end": "to"},
):
    """One event."""

    timestamp: str
    """When it happened, ISO 8601 UTC."""
    venue: str
    """The feed's name, such as `coinbase` or `alpaca:iex`."""
    event: EventName
    symbol: str | None = None
    """The symbol; None: all of the feed."""
    start: int | str | None = None
    """Of a gap: its first print, as the venue's number where it counts, else an ISO time; inclusive."""
    end: int | str | None = None
    """Of a gap: its last print, likewise."""
    count: int | None = None
    """How many prints, where that is known."""
    reason: str | None = None
    """Why, in a sentence."""


def encode_feed_event(event: FeedEvent) -> bytes:
    """Return the topic's message; `symbol` is in it even where it is null."""
    fields = msgspec.to_builtins(event)
    return msgspec.json.encode({**fields, "symbol": event.symbol})
