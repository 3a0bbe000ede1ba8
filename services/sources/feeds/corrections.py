"""Finds the trades that a venue's corrections are about, where it does not name them by their `trade_id`."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import msgspec

from services.contracts.correction import Correction
from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.messages import BadMessage, HistoryRequest, Print, ReferringCorrection
from services.sources.feeds.references import References

HandOver = Callable[[Correction, Sequence[BadMessage]], None]


class Corrections:
    """The corrections of a feed; called in its event loop alone.

    Parameters
    ----------
    hand_over
        Called with each correction, at once or when history has answered. If it does not have the `trade_id`,
        because no trade fits or several do, the message comes with it, for the dead letters.
    """

    def __init__(self, hand_over: HandOver) -> None:
        self._hand_over = hand_over
        self._references = References()
        self._lookups: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def see(self, prints: Iterable[Print]) -> None:
        """Remember prints that came."""
        self._references.see(prints)

    def take(self, note: ReferringCorrection, history: History | None) -> None:
        """Take a correction; history is asked where its trade is not remembered."""
        found = self._references.find(note.reference)
        if found or history is None:
            self._settle(note, found, "it is not remembered")
            return
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
        except asyncio.CancelledError:
            self._settle(note, (), "the feed was stopped before the venue's history had answered")
            raise
        self._settle(note, tuple(found), reason)

    def _settle(self, note: ReferringCorrection, trade_ids: Sequence[str], reason: str) -> None:
        if len(trade_ids) == 1:
            if note.renamed is not None:
                self._references.add(note.renamed, trade_ids[0])
            self._hand_over(msgspec.structs.replace(note.correction, trade_id=trade_ids[0]), ())
            return
        words = f"its trade cannot be told: {reason}"
        if trade_ids:
            words = f"it fits {len(trade_ids)} trades: {', '.join(trade_ids[:3])}"
        bad = BadMessage(note.raw, f"a correction without its trade ({note.reference}): {words}")
        self._hand_over(note.correction, (bad,))
