"""Finds in a venue's history the trades that its corrections mean, where it does not name them."""

import asyncio
from collections.abc import Callable, Sequence

from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.messages import HistoryRequest, ReferringCorrection

Settle = Callable[[ReferringCorrection, Sequence[str], str], None]


class Corrections:
    """Asks history which trades corrections mean; called in the feed's event loop alone.

    Parameters
    ----------
    settle
        Called with each correction when history has answered: the `trade_id`s that it may mean, and why there
        are none.
    """

    def __init__(self, settle: Settle) -> None:
        self._settle = settle
        self._lookups: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def look_up(self, note: ReferringCorrection, history: History) -> None:
        """Ask for the trade that a correction means."""
        lookup = asyncio.create_task(self._look_up(note, history))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._lookups.discard)

    async def end(self) -> None:
        """Give up on history, and hand over what is left."""
        lookups = list(self._lookups)
        for lookup in lookups:
            lookup.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)

    async def _look_up(self, note: ReferringCorrection, history: History) -> None:
        found: dict[str, None] = {}
        reason = "neither this process nor the venue's history of the day has it"
        try:
            async with self._turn:  # gaps matter more: no more than one question for corrections at a time
                request: HistoryRequest | None = note.lookup
                while request is not None:
                    page = await history.ask(request)
                    found |= dict.fromkeys(one.trade_id for one in page.prints)
                    request = page.following
        except HistoryUnavailableError as error:
            found, reason = {}, str(error)
        except Exception as error:  # must not end unseen
            found, reason = {}, f"the venue's history cannot be read ({error})"
        except asyncio.CancelledError:
            self._settle(note, (), "the feed was stopped before the venue's history had answered")
            raise
        self._settle(note, tuple(found), reason)
