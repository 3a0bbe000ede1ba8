"""The keeper for a venue that numbers each symbol's prints without a gap."""

from collections.abc import Sequence

from services.sources.feeds.keeper import Gap, Keeper, Shared, Wanted
from services.sources.feeds.messages import Print
from services.sources.feeds.place import Place

SWAPPED_S = 0.3
"""Messages that overtook each other are in order again after that; then history is asked."""

ASK_AGAIN_S = 0.5
RESTART_PRINTS = 3
RESTART_NS = 10**9
"""So many prints in a row with numbers of the past, and times that are so much newer than the last print's:
the venue's numbers have started again."""

HISTORY_LAGS_S = 3.0
"""A venue's history may lag behind its live feed. What it still leaves out after so long is lost."""


class NumberedKeeper(Keeper):
    """See the module.

    Parameters
    ----------
    symbol
        The symbol.
    shared
        What it shares with the others.
    place
        Where to resume; None to begin with the first print that comes.
    """

    def __init__(self, symbol: str, shared: Shared, place: Place | None = None) -> None:
        super().__init__(symbol, shared)
        self._place = place
        self._held: dict[int, Print] = {}
        self._known = 0 if place is None else place.number
        """The largest number that is known to exist."""
        self._missing_since_s: float | None = None
        self._ask_at_s: float | None = None
        """When to ask what came while there was no connection; None: not at all."""
        self._is_behind = False
        """Whether held prints were dropped: history has them, and live ones are not held meanwhile."""
        self._opened: int | None = None
        """First number of the gap that was recorded as open."""
        self._filled = 0
        self._has_lost = False
        self._is_blocked = False
        self._left_out_since_s: float | None = None
        self._restart: list[Print] = []
        """Prints with numbers of the past and newer times, one after the other."""

    @property
    def place(self) -> Place | None:
        """See `Keeper`."""
        return self._place

    @property
    def is_complete(self) -> bool:
        """See `Keeper`."""
        return self._ask_at_s is None and not self._misses_something

    @property
    def _misses_something(self) -> bool:
        return self._place is not None and self._known > self._place.number

    def connected(self, now_s: float) -> None:
        """See `Keeper`."""
        if self._place is not None:
            self._ask_at_s = now_s

    def live(self, one: Print, now_s: float) -> Sequence[Print]:
        """See `Keeper`."""
        place, number = self._place, one.number
        if place is None:
            self._place = Place(one.tape_ns, number)
            self._known = number
            return (one,)
        if number == place.number + 1 and not self._held:
            self._place = Place(max(place.time_ns, one.tape_ns), number)
            if number >= self._known:
                self._known = number
                self._missing_since_s = None
            return (one,)
        if number <= place.number or number in self._held:
            self._shared.seen.live_repeats += 1
            return self._restarted(one)
        self._restart = []
        self._known = max(self._known, number)
        if self._missing_since_s is None:
            self._missing_since_s = now_s
        if self._is_behind:
            return ()
        self._hold(one)
        return self._flush()

    def _restarted(self, one: Print) -> Sequence[Print]:
        """Take a print behind the last number, which repeats an earlier one, or shows that numbers restarted.

        So it is after a number that was wrong: without this no print would ever be published again.
        """
        place = self._place
        if place is None or one.number > place.number or one.tape_ns <= place.time_ns + RESTART_NS:
            self._restart = []
            return ()
        self._restart.append(one)
        if len(self._restart) < RESTART_PRINTS:
            return ()
        published, self._restart = self._restart, []
        reason = "the venue's numbers have started again"
        self._shared.record(Gap("gap_lost", self.symbol, place.number + 1, None, True, None, reason))
        self._shared.held.count -= len(self._held)
        self._held.clear()
        self._known = published[-1].number
        self._place = Place(published[-1].tape_ns, self._known)
        self._missing_since_s, self._is_behind, self._has_lost = None, False, True
        return published

    def last_number(self, number: int, now_s: float) -> None:
        """See `Keeper`."""
        if self._place is not None and number > max(self._known, self._place.number):
            self._known = number
            if self._missing_since_s is None:
                self._missing_since_s = now_s

    def wanted(self, now_s: float) -> Wanted | None:
        """See `Keeper`."""
        if self._place is None:
            return None
        if self._misses_something:
            if self._missing_since_s is not None and now_s < self._missing_since_s + SWAPPED_S:
                return None
            if self._ask_at_s is not None and now_s < self._ask_at_s:
                return None
            until = min(self._held) - 1 if self._held else self._known
            if self._opened is None:
                self._open(until)
            return Wanted(self.symbol, self._place, until)
        if self._ask_at_s is not None and now_s >= self._ask_at_s:
            return Wanted(self.symbol, self._place)
        return None

    def page(self, prints: Sequence[Print]) -> Sequence[Print]:
        """See `Keeper`."""
        if self._place is None:
            return ()
        for one in prints:
            if one.number <= self._place.number or one.number in self._held:
                self._shared.seen.history_repeats += 1
                continue
            if self._opened is None:
                self._open(None)
            self._filled += 1
            self._known = max(self._known, one.number)
            self._held[one.number] = one
            self._shared.held.count += 1
        published = self._flush()
        if published:
            self._left_out_since_s = None
        self._is_blocked = bool(prints) and prints[-1].number > self._place.number
        return published

    @property
    def is_blocked(self) -> bool:
        """See `Keeper`."""
        return self._is_blocked

    def answered(self, asked_s: float, now_s: float) -> Sequence[Print]:  # noqa: ARG002 - numbers tell
        """See `Keeper`."""
        if not self._misses_something:
            self._ask_at_s = None
            self._close()
            return ()
        self._is_behind = False
        self._ask_at_s = now_s + ASK_AGAIN_S
        if self._left_out_since_s is None:
            self._left_out_since_s = now_s
        if now_s - self._left_out_since_s < HISTORY_LAGS_S:
            return ()
        return self._lose("the venue's history does not have it")

    def unavailable(self, reason: str) -> Sequence[Print]:
        """See `Keeper`."""
        self._ask_at_s = None
        if self._misses_something:
            return self._lose(reason)
        return ()

    def _lose(self, reason: str) -> Sequence[Print]:
        """Record the first missing prints as lost, and continue after them."""
        place = self._place
        if place is None:
            return ()
        end = min(self._held) - 1 if self._held else self._known
        start = place.number + 1
        self._shared.record(Gap("gap_lost", self.symbol, start, end, True, end - start + 1, reason))
        self._place = Place(place.time_ns, end)
        self._has_lost = True
        self._left_out_since_s = None
        self._is_behind = False
        return self._flush()

    def _hold(self, one: Print) -> None:
        held = self._shared.held
        if held.count >= held.most:
            held.count -= len(self._held)
            self._held.clear()
            self._is_behind = True
            return
        self._held[one.number] = one
        held.count += 1

    def _flush(self) -> Sequence[Print]:
        """Take what is held and follows without a gap."""
        place = self._place
        if place is None or place.number + 1 not in self._held:
            return ()
        published = []
        number, time_ns = place.number, place.time_ns
        while (one := self._held.pop(number + 1, None)) is not None:
            published.append(one)
            number += 1
            time_ns = max(time_ns, one.tape_ns)
        self._shared.held.count -= len(published)
        self._place = Place(time_ns, number)
        if not self._misses_something:
            self._missing_since_s = None
            if self._ask_at_s is None:
                self._close()
        return published

    def _open(self, until: int | None) -> None:
        if self._place is None:
            return
        self._opened = self._place.number + 1
        count = None if until is None else until - self._opened + 1
        self._shared.record(
            Gap("gap_opened", self.symbol, self._opened, until, True, count, "prints did not come live")
        )

    def _close(self) -> None:
        """Record the end of a gap, if one was recorded as open."""
        place, opened, filled, has_lost = self._place, self._opened, self._filled, self._has_lost
        self._opened, self._filled, self._has_lost, self._left_out_since_s = None, 0, False, None
        if opened is None or place is None or (has_lost and not filled):
            return
        reason = "from the venue's history" if filled else "the prints came late"
        self._shared.record(Gap("gap_filled", self.symbol, opened, place.number, True, filled, reason))
