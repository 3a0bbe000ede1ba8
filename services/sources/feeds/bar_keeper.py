"""The keeper for bars: these follow each other at equal distances, so a missing one shows."""

import math
from collections.abc import Sequence

from services.sources.feeds.keeper import Shared
from services.sources.feeds.messages import Print
from services.sources.feeds.place import Place
from services.sources.feeds.timed_keeper import LAGGING_S, TimedKeeper


class BarKeeper(TimedKeeper):
    """As `TimedKeeper`; and after a hole a live bar waits until history was asked whether one is missing.

    Parameters
    ----------
    symbol, shared, place, overlap_s
        See `TimedKeeper`.
    settled_s
        History has the whole of a bar that ended so long ago, in seconds.
    bar_ns
        Length of a bar; None to ask about no holes.
    """

    def __init__(
        self,
        symbol: str,
        shared: Shared,
        place: Place | None,
        overlap_s: float,
        settled_s: float,
        bar_ns: int | None,
    ) -> None:
        super().__init__(symbol, shared, place, overlap_s, settled_s)
        self._bar_ns = bar_ns
        self._hole_s = -math.inf
        """When a live bar last came behind a hole."""

    def live(self, one: Print, now_s: float) -> Sequence[Print]:
        """See `Keeper`."""
        if self._is_behind_a_hole(one):
            self._hole_s = now_s
            if self.is_complete:
                # A bar's time has passed since what is missing ended: one answer has it, if there is any.
                self._hold(now_s, now_s - self._settled_s - LAGGING_S)
        return super().live(one, now_s)

    def answered(self, asked_s: float, now_s: float) -> Sequence[Print]:
        """See `Keeper`; a question that was asked before a hole showed may have missed what is in it."""
        if not self.is_complete and asked_s <= self._hole_s:
            self._ask_at_s = now_s
            return ()
        return super().answered(asked_s, now_s)

    def _is_behind_a_hole(self, one: Print) -> bool:
        if self._bar_ns is None or self._recent.is_empty:
            return False
        last = next(reversed(self._held.values()), None)
        newest_ns = max(self._recent.time_ns, 0 if last is None else last.tape_ns)
        return one.tape_ns > newest_ns + self._bar_ns
