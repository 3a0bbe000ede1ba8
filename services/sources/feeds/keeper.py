"""Keeps one symbol of a feed complete: no print twice, none missing without a record of it, all in order.

A keeper is told what came live, what history answered and what time it is. It returns the prints that may be
published now, and says which history it wants. It does no I/O and asks no clock, so that a recorded session
gives the same prints again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.contracts.feed_event import EventName
from services.sources.feeds.messages import Print
from services.sources.feeds.place import Place


@dataclass(frozen=True)
class Wanted:
    """The history that a keeper wants.

    Parameters
    ----------
    symbol
        The symbol.
    place
        Where it was published to: the prints after that.
    until
        Number of the last print wanted; None for all there are.
    """

    symbol: str
    place: Place
    until: int | None = None


@dataclass(frozen=True)
class Gap:
    """What a keeper records of a gap.

    Parameters
    ----------
    event
        `gap_opened`, `gap_filled` or `gap_lost`.
    symbol
        The symbol.
    start, end
        The first and the last print: numbers, or tape times in ns; inclusive. None where unknown.
    is_number
        Which of the two they are.
    count
        How many prints, where that is known.
    reason
        Why.
    """

    event: EventName
    symbol: str
    start: int | None
    end: int | None
    is_number: bool
    count: int | None
    reason: str


@dataclass
class Held:
    """How many live prints all keepers of a feed hold back while history is asked.

    Parameters
    ----------
    most
        Maximum; a keeper that needs more drops its own, as history has them.
    """

    most: int = 200_000
    count: int = 0


@dataclass
class Seen:
    """What keepers count.

    Parameters
    ----------
    live_repeats, history_repeats
        Prints that came again.
    """

    live_repeats: int = 0
    history_repeats: int = 0


@dataclass
class Shared:
    """What the keepers of a feed share.

    Parameters
    ----------
    record
        Called with each gap that is opened, filled or lost.
    held
        Budget for prints that are held back.
    seen
        Counts.
    clock_ns
        What this machine's clock showed when what is told now was received, in ns since 1970; 0: not known.
    """

    record: Callable[[Gap], None]
    held: Held = field(default_factory=Held)
    seen: Seen = field(default_factory=Seen)
    clock_ns: int = 0


class Keeper(ABC):
    """One symbol of a feed.

    Parameters
    ----------
    symbol
        The symbol.
    shared
        What it shares with the others.
    """

    def __init__(self, symbol: str, shared: Shared) -> None:
        self.symbol = symbol
        self._shared = shared

    @property
    @abstractmethod
    def place(self) -> Place | None:
        """How far it was published; None before the first print."""

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """Whether no history is wanted and no print is held back."""

    @abstractmethod
    def connected(self, now_s: float) -> None:
        """Note that live prints come from now on; what came before is not known."""

    @abstractmethod
    def live(self, one: Print, now_s: float) -> Sequence[Print]:
        """Take a live print; returns those to publish."""

    def replayed(self) -> None:  # noqa: B027 - only a replayed stream has an end of it
        """Note that the venue has replayed what was asked for; live prints follow."""

    def last_number(self, number: int, now_s: float) -> None:  # noqa: B027 - only who counts cares
        """Take the venue's word for the number of the symbol's last print."""

    def wanted(self, now_s: float) -> Wanted | None:  # noqa: ARG002 - only who asks history needs it
        """Return the history to ask for now, unless a question is under way."""
        return None

    @abstractmethod
    def page(self, prints: Sequence[Print]) -> Sequence[Print]:
        """Take consecutive prints of history; returns those to publish."""

    def takes(self, correction_id: str, time_ns: int) -> bool:  # noqa: ARG002 - only who asks again for them
        """Whether a correction of the symbol, made at a time, has not come yet; it has from now on."""
        return True

    @property
    def is_blocked(self) -> bool:
        """Whether further pages of this answer are of no use, as one left prints out."""
        return False

    def answered(self, asked_s: float, now_s: float) -> Sequence[Print]:  # noqa: ARG002 - likewise
        """Note the end of an answer to a question that was asked at `asked_s`; returns prints to publish."""
        return ()

    def unavailable(self, reason: str) -> Sequence[Print]:  # noqa: ARG002 - likewise
        """Note that the venue will not answer; returns prints to publish, once the gap is recorded."""
        return ()
