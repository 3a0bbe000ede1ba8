"""Hands what a feed has read over to its publisher, in another thread, in batches that grow under load."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from services.contracts.correction import Correction
from services.contracts.feed_event import FeedEvent
from services.sources.feeds.keeper import Keeper
from services.sources.feeds.messages import BadMessage, Print, ReferringCorrection
from services.sources.feeds.place import Place

MOST_PRINTS = 20_000
"""A batch is not larger, but for one page of history; then the venue has to wait."""

FULL_S = 0.002


@dataclass
class Batch:
    """What is published in one transaction.

    Parameters
    ----------
    prints, corrections, events, bad
        What was read, each in its order.
    places
        Where the symbols of the prints are after them.
    waiting
        The corrections whose trades are being looked for after them; None if these are those of before.
    """

    prints: list[Print] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    events: list[FeedEvent] = field(default_factory=list)
    bad: list[BadMessage] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    waiting: tuple[ReferringCorrection, ...] | None = None

    def add(
        self,
        prints: Sequence[Print] = (),
        corrections: Sequence[Correction] = (),
        events: Sequence[FeedEvent] = (),
        bad: Sequence[BadMessage] = (),
    ) -> None:
        """Add what was read."""
        self.prints += prints
        self.corrections += corrections
        self.events += events
        self.bad += bad

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to publish."""
        has_any = self.prints or self.corrections or self.events or self.bad or self.places
        return not has_any and self.waiting is None


class Handoff:
    """The reader's side is called in its event loop alone, the publisher's in any one other thread."""

    def __init__(self) -> None:
        self._keepers: Mapping[str, Keeper] = {}
        self._waiting: Mapping[str, ReferringCorrection] = {}
        self._known_waiting: set[str] = set()
        self._open = Batch()
        self._moved: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wants_more = threading.Event()
        self._given = threading.Event()
        self._batch = Batch()

    def of(
        self, keepers: Mapping[str, Keeper], waiting: Mapping[str, ReferringCorrection] = MappingProxyType({})
    ) -> None:
        """Take what tells the places, and the corrections that wait.

        Parameters
        ----------
        keepers
            The feed's keepers, by symbol.
        waiting
            As `Corrections.waiting`; what is in it now is published already.
        """
        self._keepers, self._waiting, self._known_waiting = keepers, waiting, set(waiting)

    def attach(self) -> None:
        """Say which event loop reads: the running one."""
        self._loop = asyncio.get_running_loop()

    def add(
        self,
        prints: Sequence[Print] = (),
        corrections: Sequence[Correction] = (),
        events: Sequence[FeedEvent] = (),
        bad: Sequence[BadMessage] = (),
        moved: Sequence[str] = (),
    ) -> None:
        """Add what was read, in one call with all of which the keepers already know.

        Parameters
        ----------
        prints, corrections, events, bad
            As in `Batch`.
        moved
            Symbols whose place changed without a print.
        """
        self._open.add(prints, corrections, events, bad)
        for one in prints:
            self._moved.add(one.symbol)
        self._moved.update(moved)
        if self._wants_more.is_set():
            self._give()

    @property
    def is_full(self) -> bool:
        """Whether the publisher is far behind."""
        batch = self._open
        others = len(batch.bad) + len(batch.events) + len(batch.corrections)
        return len(batch.prints) + others >= MOST_PRINTS

    async def wait_for_room(self) -> None:
        """Wait while the publisher is far behind."""
        while self.is_full:
            await asyncio.sleep(FULL_S)

    def take(self, timeout_s: float) -> Batch:
        """Return all that was read and not yet taken, and wait for something for so long.

        Called by the publisher.
        """
        loop = self._loop
        self._wants_more.set()
        if loop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop was closed at this moment
                loop.call_soon_threadsafe(self._give_if_any)
        if not self._given.wait(timeout_s):
            return Batch()
        batch, self._batch = self._batch, Batch()
        self._given.clear()
        return batch

    def rest(self) -> Batch:
        """Return what is left; called when the event loop has ended."""
        batch = self._batch if self._given.is_set() else Batch()
        if not batch.is_empty:
            self._given.clear()
            self._batch = Batch()
            return batch
        return self._cut()

    def _give_if_any(self) -> None:
        if self._wants_more.is_set():
            self._give()

    def _give(self) -> None:
        if self._given.is_set():  # the publisher has not taken the batch before yet
            return
        batch = self._cut()
        if batch.is_empty:
            return
        self._wants_more.clear()
        self._batch = batch
        self._given.set()

    def _cut(self) -> Batch:
        """Return the open batch with the places behind it."""
        batch, self._open = self._open, Batch()
        for symbol in self._moved:
            place = self._keepers[symbol].place
            if place is not None:
                batch.places[symbol] = place
        self._moved = set()
        if self._waiting.keys() != self._known_waiting:
            self._known_waiting = set(self._waiting)
            batch.waiting = tuple(self._waiting.values())
        return batch
