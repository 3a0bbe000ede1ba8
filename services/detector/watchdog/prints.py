"""Notices symbols and venues that should be printing and are not, by the wall clock.

What is usual is learnt while the market is open: for each symbol the mean time between two arrivals, and the
longest of late. A moment of arrival is a batch, so that a hundred prints at once are one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

LEAST_S = 120.0
USUAL_GAPS = 25.0
LONGEST_GAPS = 3.0
"""Silent is what has not come for `LEAST_S`, so many usual gaps, and so many times the longest of late."""

LEARNT_ARRIVALS = 50
"""Arrivals after which a symbol's usual gap is known."""

MEMORY = 200.0
"""Arrivals that the usual gap is a mean of; the longest one is forgotten five times as slowly."""

MOST_SYMBOLS = 20_000
"""Symbols that are remembered; the one that has been away longest makes room."""

ALL_SHARE = 0.5
LEAST_ALL = 3
"""From this share of a venue's known symbols on, and so many of them, the venue itself is silent."""


@dataclass(frozen=True)
class Silent:
    """What is silent.

    Parameters
    ----------
    venue
        The venue.
    symbol
        The symbol; None: the venue as a whole.
    silent_s, usual_s
        For how long, and how often it usually prints, in seconds.
    """

    venue: str
    symbol: str | None
    silent_s: float
    usual_s: float

    @property
    def reason(self) -> str:
        """A sentence for people."""
        usual = max(self.usual_s, 0.1)
        return f"no print for {self.silent_s:,.0f} s, where one usually comes every {usual:,.2g} s"


@dataclass
class _Rhythm:
    venue: str
    last_s: float
    arrivals: int = 0
    usual_s: float = 1.0
    longest_s: float = 0.0
    is_told: bool = False

    def arrive(self, now_s: float) -> None:
        gap_s = max(now_s - self.last_s, 0.0)
        self.arrivals += 1
        self.usual_s += (gap_s - self.usual_s) / min(self.arrivals, MEMORY)
        self.longest_s = max(self.longest_s * (1.0 - 0.2 / MEMORY), gap_s)
        self.last_s = now_s
        self.is_told = False

    def is_silent(self, now_s: float) -> bool:
        least_s = max(LEAST_S, USUAL_GAPS * self.usual_s, LONGEST_GAPS * self.longest_s)
        return self.arrivals >= LEARNT_ARRIVALS and now_s - self.last_s >= least_s


class PrintWatchdog:
    """Knows the rhythm of symbols; takes the wall clock, in seconds, and whether the market is open."""

    def __init__(self) -> None:
        self._rhythms: dict[str, _Rhythm] = {}  # the one that has been away longest first
        self._told_venues: set[str] = set()
        self._was_open = False

    def arrive(self, symbols: Iterable[tuple[str, str]], now_s: float, is_open: bool) -> None:
        """Note that prints of symbols have come.

        Parameters
        ----------
        symbols
            Each symbol once, with its venue.
        now_s
            The time.
        is_open
            Whether the market is open, so that the time since the last print counts.
        """
        self._turn(now_s, is_open)
        for symbol, venue in symbols:
            rhythm = self._rhythms.pop(symbol, None) or _Rhythm(venue, now_s)
            self._rhythms[symbol] = rhythm
            rhythm.venue = venue
            if is_open:
                rhythm.arrive(now_s)
                self._told_venues.discard(venue)
            else:
                rhythm.last_s = now_s
        while len(self._rhythms) > MOST_SYMBOLS:
            del self._rhythms[next(iter(self._rhythms))]

    def pause(self, now_s: float) -> None:
        """Begin to wait anew: for a while nothing could be known, as the service itself was behind."""
        for rhythm in self._rhythms.values():
            rhythm.last_s = now_s
            rhythm.is_told = False

    def silent(self, now_s: float, is_open: bool) -> list[Silent]:
        """Return what has fallen silent since the last call."""
        self._turn(now_s, is_open)
        if not is_open:
            return []
        by_venue: dict[str, list[str]] = {}
        known: dict[str, int] = {}
        for symbol, rhythm in self._rhythms.items():
            known[rhythm.venue] = known.get(rhythm.venue, 0) + (rhythm.arrivals >= LEARNT_ARRIVALS)
            if rhythm.is_silent(now_s):
                by_venue.setdefault(rhythm.venue, []).append(symbol)
        found = []
        for venue, symbols in by_venue.items():
            new = [symbol for symbol in symbols if not self._rhythms[symbol].is_told]
            for symbol in new:
                self._rhythms[symbol].is_told = True
            if len(symbols) >= max(LEAST_ALL, ALL_SHARE * known[venue]):
                if new and venue not in self._told_venues:
                    self._told_venues.add(venue)
                    found.append(self._silent(venue, None, symbols, now_s))
                continue
            found += [self._silent(venue, symbol, [symbol], now_s) for symbol in new]
        return found

    def count(self) -> int:
        """Return how many symbols have been told to be silent and have not printed since."""
        return sum(rhythm.is_told for rhythm in self._rhythms.values())

    def _silent(self, venue: str, symbol: str | None, of: list[str], now_s: float) -> Silent:
        rhythms = [self._rhythms[one] for one in of]
        last_s = max(one.last_s for one in rhythms)
        return Silent(venue, symbol, now_s - last_s, min(one.usual_s for one in rhythms))

    def _turn(self, now_s: float, is_open: bool) -> None:
        """Begin to wait when the market opens: the hours before count for nothing."""
        if is_open and not self._was_open:
            self.pause(now_s)
        self._was_open = is_open
