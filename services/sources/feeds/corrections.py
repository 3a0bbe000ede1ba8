"""Finds in a venue's history the trades that its corrections mean, where it does not name them.

The corrections that wait for an answer are committed with what is published, so that the next process asks
again for those whose trades were not found yet.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.messages import HistoryRequest, ReferringCorrection

MOST_WAITING = 300
"""Of a venue that corrects more while its history does not answer, the others are published without their
trades."""

Settle = Callable[[ReferringCorrection, Sequence[str], str], None]


class Corrections:
    """Asks history which trades corrections mean; called in the feed's event loop alone.

    Parameters
    ----------
    settle
        Called with each correction when history has answered: the `trade_id`s that it may mean, and why there
        are none.
    waiting
        Those whose trades an earlier process did not find.
    """

    def __init__(self, settle: Settle, waiting: Iterable[ReferringCorrection] = ()) -> None:
        self._settle = settle
        self._waiting = {note.correction.correction_id: note for note in waiting}
        self._lookups: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    @property
    def waiting(self) -> Mapping[str, ReferringCorrection]:
        """Those whose trade is being looked for, by `correction_id`."""
        return self._waiting

    def resume(self, history: History) -> None:
        """Ask for those that an earlier process did not find."""
        for note in self._waiting.values():
            self._ask(note, history)

    def look_up(self, note: ReferringCorrection, history: History) -> None:
        """Ask for the trade that a correction means."""
        if note.correction.correction_id in self._waiting:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._settle(note, (), f"{MOST_WAITING} others wait for the venue's history")
            return
        self._waiting[note.correction.correction_id] = note
        self._ask(note, history)

    def _ask(self, note: ReferringCorrection, history: History) -> None:
        lookup = asyncio.create_task(self._look_up(note, history))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._lookups.discard)

    async def end(self) -> None:
        """Ask no more; what waits is for the next process."""
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
        del self._waiting[note.correction.correction_id]  # first, so that both are in one batch
        self._settle(note, tuple(found), reason)
