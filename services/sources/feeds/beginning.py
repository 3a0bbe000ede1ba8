"""Where a feed begins that was told to: at the beginning of a day, which the venue's history has."""

import datetime as dt
from collections.abc import Mapping

from services.common.errors import TapewatchError
from services.sources.feeds.place import Place
from services.sources.feeds.venue import Venue


def beginning(venue: Venue, day: dt.date) -> Mapping[str, Place]:
    """Return the places of symbols of which nothing is published before a day, and all from there on.

    Parameters
    ----------
    venue
        The venue, with its symbols.
    day
        The day in UTC, or of the venue's own zone where it has one.

    Raises
    ------
    TapewatchError
        The venue's history is not asked by time, or symbol by symbol.
    """
    if not venue.can_begin_earlier:
        raise TapewatchError(
            f"{venue.name} cannot begin in the past: its history is not asked from a day on.",
            "Leave --start out, and read earlier days from the venue's files: docs/sources.md.",
        )
    if venue.watches_all:
        raise TapewatchError(
            "The past is asked for symbol by symbol, not for all.", "Name them: --symbols AAPL,MSFT"
        )
    start_ns, _ = venue.day_ns(day)
    return dict.fromkeys(venue.symbols, Place(start_ns, 0, start_ns))
