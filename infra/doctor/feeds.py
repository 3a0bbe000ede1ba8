"""Checks a venue: whether its name and key are in order, and whether it lets this machine in."""

import asyncio

from infra.doctor.checks import Diagnosis
from services.common.errors import TapewatchError
from services.sources.feeds.messages import Refusal
from services.sources.feeds.registry import kind_of, open_venue
from services.sources.feeds.venue import ConnectionLostError, RefusedError, Venue

TIMEOUT_S = 15.0
FRAMES = 3
"""Frames that are looked at for a refusal."""
FRAME_S = 2.0


def check_feed(name: str, url: str | None = None, rest_url: str | None = None) -> Diagnosis:
    """Check a feed: connect, log in and subscribe to one symbol, then hang up.

    Parameters
    ----------
    name
        As `tapewatch feed` takes it.
    url, rest_url
        Other servers than the venue's own.
    """
    subject = f"Feed {name}"
    try:
        venue = open_venue(name, kind_of(name).example.split(",")[:1], url, rest_url)
        asyncio.run(asyncio.wait_for(_try(venue), TIMEOUT_S))
    except TapewatchError as error:
        return Diagnosis(subject, error.cause, error.hint)
    except RefusedError as error:
        hint = error.hint or "Try again later; venues may allow one connection at a time: is a feed running?"
        return Diagnosis(subject, f"it refuses this feed: {error.reason}", hint)
    except (ConnectionLostError, TimeoutError) as error:
        reason = str(error) or f"no answer within {TIMEOUT_S:g} s"
        return Diagnosis(
            subject,
            f"{venue.url} cannot be reached ({reason})",
            "Check this machine's network and firewall, or the venue's status page.",
        )
    return Diagnosis(subject, f"{venue.url} lets {venue.symbols[0]} be watched")


async def _try(venue: Venue) -> None:
    """Connect and read a little; raises what the venue answers."""
    connection = await venue.connect()
    try:
        for _ in range(FRAMES):
            raw = await asyncio.wait_for(connection.receive(), FRAME_S)
            for note in venue.decode(raw).notes:
                if isinstance(note, Refusal):
                    raise RefusedError(note.reason, note.hint)
    except TimeoutError:
        return  # a quiet market: it was let in
    finally:
        await connection.close()
