"""A venue of one symbol without I/O or clock: what a keeper's laws are tested on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.sources.feeds.keeper import Gap, Keeper, Shared, Wanted
from services.sources.feeds.messages import Print
from services.sources.feeds.place import Place

MakeKeeper = Callable[[Shared, Place | None], Keeper]
STEP_S = 0.1
MOST_STEPS = 5_000
"""Steps after the tape in which a keeper must have come to its end."""


def make_print(number: int, time_ns: int | None = None, symbol: str = "X") -> Print:
    """Return a print with a number, and by default a time of its own."""
    time_ns = number * 1_000 if time_ns is None else time_ns
    return Print(symbol, f"id-{number}", time_ns, number, b"{}")


@dataclass
class Feed:
    """Runs a keeper against a tape: one step is 0.1 s.

    Parameters
    ----------
    make
        Makes the keeper.
    tape
        All prints, in the order in which the venue's history has them.
    page_prints
        How many prints an answer of history has.
    """

    make: MakeKeeper
    tape: Sequence[Print]
    page_prints: int = 7
    published: list[Print] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    history_lags: int = 0
    forgotten: int = 0
    """So many prints of the tape's beginning are no longer in history."""
    most_held: int = 1_000

    def __post_init__(self) -> None:
        self.now_s = 0.0
        self.shown = 0
        self.shared = Shared(self.gaps.append)
        self.shared.held.most = self.most_held
        self.keeper = self.make(self.shared, None)
        self.is_connected = True
        self._asked: tuple[float, list[Print]] | None = None

    def restart(self) -> None:
        """Kill the process: what the keeper knew is lost, but for its place."""
        place = self.keeper.place
        self.shared = Shared(self.gaps.append)
        self.shared.held.most = self.most_held
        self.keeper = self.make(self.shared, place)
        self._asked = None
        self.connect()

    def connect(self) -> None:
        """Connect, or connect again."""
        self.is_connected = True
        self.keeper.connected(self.now_s)

    def lose(self) -> None:
        """Lose the connection."""
        self.is_connected = False

    def send(self, one: Print) -> None:
        """Let a print come live."""
        if self.is_connected:
            self.published += self.keeper.live(one, self.now_s)

    def step(self) -> None:
        """Let 0.1 s pass: history answers a page, or is asked."""
        self.now_s += STEP_S
        if not self.is_connected:
            return
        if self._asked is None:
            wanted = self.keeper.wanted(self.now_s)
            if wanted is not None:
                self._asked = (self.now_s, self._answer(wanted))
            return
        asked_s, rest = self._asked
        page, rest = rest[: self.page_prints], rest[self.page_prints :]
        if page:
            self.published += self.keeper.page(page)
        if rest and page and not self.keeper.is_blocked:
            self._asked = (asked_s, rest)
            return
        self._asked = None
        self.published += self.keeper.answered(asked_s, self.now_s)

    def _answer(self, wanted: Wanted) -> list[Print]:
        known = self.tape[self.forgotten : max(self.shown - self.history_lags, 0)]
        if wanted.place.number:
            last = wanted.until or 1 << 60
            return [one for one in known if wanted.place.number < one.number <= last]
        return [one for one in known if one.tape_ns >= wanted.place.since_ns]

    def finish(self) -> None:
        """Let everything come to its end."""
        if not self.is_connected:
            self.connect()
        self.history_lags = 0
        for _ in range(MOST_STEPS):
            self.step()
            if self.keeper.is_complete and self._asked is None:
                return
        raise AssertionError("the keeper does not come to an end")

    @property
    def lost(self) -> set[int]:
        """Numbers in the lost gaps of a venue that counts."""
        return {
            number
            for gap in self.gaps
            if gap.event == "gap_lost" and gap.start is not None and gap.end is not None
            for number in range(gap.start, gap.end + 1)
        }
