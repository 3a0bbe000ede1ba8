"""The keepers for venues that do not number a symbol's prints: these are known by their ids and times."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from services.sources.feeds.keeper import Gap, Keeper, Shared, Wanted
from services.sources.feeds.messages import Print
from services.sources.feeds.place import Place

SETTLED_S = 2.0
"""So long after live prints began to come the history of most venues has what came before them."""

LAGGING_S = 10.0
"""But it may lag: until the first live print is in it, it is asked again, for so long."""

ASK_AGAIN_S = 1.0
CURSOR_PRINTS = 16
"""A cursor has the ids of at least so many prints. One that was reported later than so many others while
no feed ran is found by reconciliation alone."""

SEARCHED_PRINTS = 64
"""Among the last so many the cursor's are looked for: a few of them may have been reported late."""

AHEAD_NS = 2 * 10**9
"""A print that is stamped further ahead of this machine's clock does not move the symbol's time."""

AHEAD_PRINTS = 20
"""After so many of them in a row, this machine's clock is thought to be wrong."""


class RecentPrints:
    """The published prints of one symbol's last seconds of tape.

    Parameters
    ----------
    place
        Where to resume; None for nothing yet.
    overlap_ns
        How much of the tape is remembered.
    """

    def __init__(self, place: Place | None, overlap_ns: int) -> None:
        self._overlap_ns = overlap_ns
        self.time_ns = 0 if place is None else place.time_ns
        """Time of the newest print, but for those that are stamped ahead."""
        self.since_ns = 0 if place is None else place.since_ns
        """All published prints from here on are known."""
        self._order: deque[tuple[int, str, int]] = deque()
        """Tape time, id, and the newest time of all up to here: a search from the end knows where to stop."""
        self._stamped_ahead = {} if place is None else dict(place.ahead)
        if place is not None:
            self._order += ((self.time_ns, one, self.time_ns) for one in place.ids)
        self._ids = {one for _, one, _ in self._order} | self._stamped_ahead.keys()
        self._ahead = 0
        self._skew_ns = 0
        self.is_empty = place is None

    def __contains__(self, one: Print) -> bool:
        return one.trade_id in self._ids

    def add(self, one: Print, clock_ns: int) -> None:
        """Remember a print that is published now.

        Parameters
        ----------
        one
            The print.
        clock_ns
            What this machine's clock shows, in ns since 1970; 0 if that does not matter.
        """
        time_ns = one.tape_ns
        if self.is_empty:
            self.is_empty = False
            # What the tape showed before belongs to nobody's watch.
            self.since_ns = min(time_ns, clock_ns or time_ns)
        is_newest = time_ns > self.time_ns
        if is_newest and clock_ns and self._is_ahead(time_ns - clock_ns):
            self._stamped_ahead[one.trade_id] = time_ns
            self._ids.add(one.trade_id)
            return
        self._remember(time_ns, one.trade_id)
        if is_newest:
            self.time_ns = time_ns
            self._forget(time_ns - self._overlap_ns)

    def _remember(self, time_ns: int, identity: str) -> None:
        order = self._order
        order.append((time_ns, identity, max(time_ns, order[-1][2]) if order else time_ns))
        self._ids.add(identity)

    def takes(self, correction_id: str, time_ns: int) -> bool:
        """Remember a correction as long as prints of its time; returns whether it was not known.

        Its trade is not newer, though it may be published later: a history that is asked from a later time on
        mentions neither.
        """
        if correction_id in self._ids:
            return False
        if time_ns > self.time_ns:
            self._stamped_ahead[correction_id] = time_ns
            self._ids.add(correction_id)
        elif not self.is_empty:
            self._remember(self.time_ns, correction_id)
        return True

    def _is_ahead(self, ahead_ns: int) -> bool:
        if ahead_ns <= AHEAD_NS + self._skew_ns:
            self._ahead = 0
            return False
        self._ahead += 1
        if self._ahead >= AHEAD_PRINTS:
            self._ahead, self._skew_ns = 0, ahead_ns
            return False
        return True

    @property
    def overlap_start_ns(self) -> int:
        """From when on history is asked: it may have prints that were reported later than others."""
        return max(self.since_ns, self.time_ns - self._overlap_ns)

    def _forget(self, before_ns: int) -> None:
        """Forget the oldest arrivals; never the last ones, of a symbol that is quiet."""
        order = self._order
        while len(order) > CURSOR_PRINTS and order[0][0] < before_ns:
            time_ns, identity, _ = order.popleft()
            self._ids.discard(identity)
            self.since_ns = max(self.since_ns, time_ns + 1)
        if not self._stamped_ahead:
            return
        for identity in [one for one, time_ns in self._stamped_ahead.items() if time_ns < before_ns]:
            self.since_ns = max(self.since_ns, self._stamped_ahead.pop(identity) + 1)
            self._ids.discard(identity)

    def place(self) -> Place:
        """Return the cursor: a time of which at least some prints are not older, and the ids of all these."""
        order = self._order
        newest = (order[-at][0] for at in range(1, min(len(order), SEARCHED_PRINTS) + 1))
        times_ns = sorted(newest, reverse=True)
        since_ns = self.since_ns
        if len(times_ns) > CURSOR_PRINTS:
            since_ns = max(since_ns, times_ns[CURSOR_PRINTS - 1])
        ids = []
        for time_ns, identity, newest_ns in reversed(order):
            if newest_ns < since_ns:
                break
            if time_ns >= since_ns:
                ids.append(identity)
        ids.reverse()
        ahead = {}
        for identity, time_ns in self._stamped_ahead.items():
            if time_ns > self.time_ns:
                ahead[identity] = time_ns
            elif time_ns >= since_ns:
                ids.append(identity)
        return Place(self.time_ns, 0, since_ns, tuple(ids), ahead)


class _RecentKeeper(Keeper):
    """What knows a symbol's prints by their ids and times.

    Parameters
    ----------
    symbol
        The symbol.
    shared
        What it shares with the others.
    place
        Where to resume; None to begin with the first print that comes.
    overlap_s
        How much of the tape's end is asked again, in seconds.
    """

    def __init__(self, symbol: str, shared: Shared, place: Place | None, overlap_s: float) -> None:
        super().__init__(symbol, shared)
        self._recent = RecentPrints(place, int(overlap_s * 1e9))
        self._filled = 0
        self._filled_from_ns = 0

    @property
    def place(self) -> Place | None:
        """See `Keeper`."""
        return None if self._recent.is_empty else self._recent.place()

    def _count_fill(self, one: Print) -> None:
        """Count a print that did not come live."""
        if not self._filled:
            self._filled_from_ns = one.tape_ns
        self._filled += 1

    def _record_fill(self, reason: str) -> None:
        """Record the gap that was filled, if there was one."""
        if not self._filled:
            return
        start, end = self._filled_from_ns, self._recent.time_ns
        opened = Gap("gap_opened", self.symbol, start, end, False, self._filled, "prints did not come live")
        self._shared.record(opened)
        self._shared.record(replace(opened, event="gap_filled", reason=reason))


class TimedKeeper(_RecentKeeper):
    """The keeper for a venue whose history is asked for from a time on.

    Parameters
    ----------
    symbol
        The symbol.
    shared
        What it shares with the others.
    place
        Where to resume; None to begin with the first print that comes.
    overlap_s
        How much later than others a print may be reported, in seconds of the tape.
    settled_s
        History that is asked so long after live prints began to come has what came before them.
    """

    def __init__(
        self,
        symbol: str,
        shared: Shared,
        place: Place | None,
        overlap_s: float,
        settled_s: float = SETTLED_S,
    ) -> None:
        super().__init__(symbol, shared, place, overlap_s)
        self._settled_s = settled_s
        self._held: dict[str, Print] = {}
        """Live prints that are held back, by id, in order; without those that history has handed out."""
        self._meets_live = False
        """Whether history has handed out one of them."""
        self._holding_since_s: float | None = None
        """Since when live prints are held back, without one dropped; None: they are published."""
        self._has_dropped = False
        self._ask_at_s = 0.0

    @property
    def is_complete(self) -> bool:
        """See `Keeper`."""
        return self._holding_since_s is None

    def connected(self, now_s: float) -> None:
        """See `Keeper`."""
        # History has those that were held back, but for prints that are stamped long ago.
        start_ns = self._recent.overlap_start_ns
        stamped_before = {key: one for key, one in self._held.items() if one.tape_ns < start_ns}
        self._drop_held()
        self._held = stamped_before
        self._shared.held.count += len(stamped_before)
        if not self._recent.is_empty:
            self._hold(now_s, now_s)

    def _hold(self, now_s: float, since_s: float) -> None:
        """Hold live prints back, as if since a time, until history has answered."""
        self._holding_since_s, self._ask_at_s = since_s, now_s
        self._has_dropped = False

    def live(self, one: Print, now_s: float) -> Sequence[Print]:  # noqa: ARG002
        """See `Keeper`."""
        if one in self._recent or one.trade_id in self._held:
            self._shared.seen.live_repeats += 1
            return ()
        if self._holding_since_s is None:
            self._recent.add(one, self._shared.clock_ns)
            return (one,)
        held = self._shared.held
        if held.count >= held.most:
            self._drop_held()
            self._has_dropped = True
        elif not self._has_dropped:
            self._held[one.trade_id] = one
            held.count += 1
        return ()

    def wanted(self, now_s: float) -> Wanted | None:
        """See `Keeper`."""
        if self._holding_since_s is None or now_s < self._ask_at_s:
            return None
        recent = self._recent
        # From the earliest time of which all that was published is known.
        return Wanted(self.symbol, Place(recent.time_ns, 0, recent.overlap_start_ns))

    def page(self, prints: Sequence[Print]) -> Sequence[Print]:
        """See `Keeper`."""
        published = []
        for one in prints:
            # At once, as a long answer makes the symbol forget what it began with.
            came_live = self._held.pop(one.trade_id, None) is not None
            if came_live:
                self._shared.held.count -= 1
                self._shared.seen.live_repeats += 1
                self._meets_live = True
            if one.tape_ns < self._recent.since_ns or one in self._recent:
                self._shared.seen.history_repeats += 1
                continue
            if not came_live:
                self._count_fill(one)
            self._recent.add(one, self._shared.clock_ns)
            published.append(one)
        return published

    def takes(self, correction_id: str, time_ns: int) -> bool:
        """See `Keeper`."""
        return self._recent.takes(correction_id, time_ns)

    def answered(self, asked_s: float, now_s: float) -> Sequence[Print]:
        """See `Keeper`."""
        since_s = self._holding_since_s
        if since_s is None:
            return ()
        if self._has_dropped:
            self._hold(now_s, now_s)
            return ()
        meets_live = self._meets_live or not self._held
        if asked_s < since_s + self._settled_s or (not meets_live and asked_s < since_s + LAGGING_S):
            self._ask_at_s = now_s + ASK_AGAIN_S
            return ()
        self._record_fill("from the venue's history")
        return self._release()

    def unavailable(self, reason: str) -> Sequence[Print]:
        """See `Keeper`."""
        if self._holding_since_s is None:
            return ()
        end_ns = next((one.tape_ns for one in self._held.values()), None)
        self._shared.record(Gap("gap_lost", self.symbol, self._recent.time_ns, end_ns, False, None, reason))
        return self._release()

    def _release(self) -> Sequence[Print]:
        """Publish live prints from now on, first those that were held back."""
        published = []
        for one in self._held.values():
            self._recent.add(one, self._shared.clock_ns)
            published.append(one)
        self._drop_held()
        self._holding_since_s, self._filled = None, 0
        return published

    def _drop_held(self) -> None:
        self._shared.held.count -= len(self._held)
        self._held = {}
        self._meets_live = False


class ReplayKeeper(_RecentKeeper):
    """The keeper for a venue that replays its stream from a time on, in the same order, before it is live.

    Parameters
    ----------
    symbol
        The symbol.
    shared
        What it shares with the others.
    place
        Where to resume; None to begin with the first print that comes.
    overlap_s
        How much earlier than the last print a replay is asked to begin, in seconds of the tape.
    """

    def __init__(self, symbol: str, shared: Shared, place: Place | None, overlap_s: float) -> None:
        super().__init__(symbol, shared, place, overlap_s)
        self._replays_before_ns = 0
        self._lost_reason: str | None = None
        """Why prints after the last one may be lost; known once the next one comes."""

    @property
    def is_complete(self) -> bool:
        """See `Keeper`."""
        return True

    def connected(self, now_s: float) -> None:  # noqa: ARG002 - it waits for nothing
        """See `Keeper`."""
        self._replays_before_ns = 0 if self._recent.is_empty else self._recent.since_ns
        self._filled = 0

    def live(self, one: Print, now_s: float) -> Sequence[Print]:  # noqa: ARG002
        """See `Keeper`."""
        recent = self._recent
        # A replay has the stream's order: what is older than all that is known by id was published.
        if one.tape_ns < self._replays_before_ns or one in recent:
            self._shared.seen.history_repeats += 1
            self._lost_reason = None  # the replay reaches back to what was published
            return ()
        if self._lost_reason is not None:
            start_ns, end_ns = recent.time_ns, one.tape_ns
            gap = Gap("gap_lost", self.symbol, start_ns, end_ns, False, None, self._lost_reason)
            self._shared.record(gap)
            self._lost_reason = None
        if self._replays_before_ns:
            self._count_fill(one)
        recent.add(one, self._shared.clock_ns)
        return (one,)

    def replayed(self) -> None:
        """Note that the replay has ended: from now on only an equal id is a repeat."""
        self._replays_before_ns = 0
        self._record_fill("from the venue's replay")
        self._filled = 0

    def unavailable(self, reason: str) -> Sequence[Print]:
        """See `Keeper`; whether prints are lost shows when the next one comes."""
        if not self._recent.is_empty:
            self._lost_reason = reason
        return ()

    def page(self, prints: Sequence[Print]) -> Sequence[Print]:
        """See `Keeper`."""
        return [one for each in prints for one in self.live(each, 0.0)]
