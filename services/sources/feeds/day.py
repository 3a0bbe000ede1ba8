"""The venue's own record of a day: all prints of a symbol that its history has between two times."""

from collections.abc import AsyncIterator

from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.keeper import Wanted
from services.sources.feeds.messages import HistoryRequest, Page
from services.sources.feeds.place import Place
from services.sources.feeds.venue import Venue

BACK_PRINTS = 5_000
"""How many prints at once are asked for before the first known one."""


async def pages_of_day(
    venue: Venue, history: History, symbol: str, start_ns: int, end_ns: int, known_number: int | None
) -> AsyncIterator[Page]:
    """Ask for a day.

    Parameters
    ----------
    venue, history
        The venue and its history.
    symbol
        The symbol.
    start_ns, end_ns
        Tape times, in ns since 1970; the second one is exclusive. Pages may have prints beyond them, and
        are not in order where a venue numbers prints: those before the known one come first, latest first.
    known_number
        The number of any print of that day, for a venue that numbers prints; None without one.

    Raises
    ------
    HistoryUnavailableError
        The venue refuses.
    ValueError
        No number is known of a venue that is asked by numbers.
    """
    if not venue.is_numbered:
        async for page in _pages(venue, history, Wanted(symbol, Place(start_ns, 0, start_ns)), end_ns):
            yield page
        return
    if known_number is None:
        raise ValueError(
            f"nothing of {symbol} that day is published, so it is not known which numbers to ask for"
        )
    first = known_number
    while first > 1:  # the earliest are asked for last
        lower = max(1, first - BACK_PRINTS)
        first_ns: int | None = None
        async for page in _pages(venue, history, Wanted(symbol, Place(0, lower - 1), first - 1), end_ns):
            if first_ns is None and page.prints:
                first_ns = page.prints[0].tape_ns
            yield page
        if first_ns is None or first_ns < start_ns:
            break
        first = lower
    async for page in _pages(venue, history, Wanted(symbol, Place(0, known_number - 1)), end_ns):
        yield page


async def _pages(venue: Venue, history: History, wanted: Wanted, end_ns: int) -> AsyncIterator[Page]:
    """Yield the pages of an answer until one goes beyond a time."""
    request: HistoryRequest | None = venue.history(wanted)
    if request is None:
        raise HistoryUnavailableError("it answers no questions about past prints")
    while request is not None:
        page = await history.ask(request)
        yield page
        if page.prints and page.prints[-1].tape_ns >= end_ns:
            return
        request = page.following
