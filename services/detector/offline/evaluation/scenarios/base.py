"""What a kind of injected event is, and what it changes in a day."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.ticks import on_grid

WARM_UP_TRADES = 40
"""Trades of the session before the first event, except for what happens at its first print."""


def _nothing() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Prints:
    """Extra trades, in the order in which they come; each array has the shape (prints,).

    Parameters
    ----------
    after
        The natural trade's place that each follows; -1 before the first.
    arrival_ns
        When each comes, in ns since 1970.
    ts_event_ns
        Its own stamp.
    price_nanos, size_shares, side
        As in the sources' columns.
    numbered_after
        The natural trade's place whose sequence number each follows; differs from `after` for late ones.
    """

    after: np.ndarray = field(default_factory=_nothing)
    arrival_ns: np.ndarray = field(default_factory=_nothing)
    ts_event_ns: np.ndarray = field(default_factory=_nothing)
    price_nanos: np.ndarray = field(default_factory=_nothing)
    size_shares: np.ndarray = field(default_factory=_nothing)
    side: np.ndarray = field(default_factory=lambda: np.zeros(0, "U1"))
    numbered_after: np.ndarray = field(default_factory=_nothing)

    def __len__(self) -> int:
        return len(self.after)


def prints_at(
    tape: Tape,
    arrival_ns: np.ndarray | int,
    price_nanos: np.ndarray | int,
    size_shares: np.ndarray | int,
    side: np.ndarray | str,
    ts_event_ns: np.ndarray | int | None = None,
    numbered_after: np.ndarray | int | None = None,
) -> Prints:
    """Make prints that come at given times, ascending; scalars hold for all of them."""
    arrival = np.atleast_1d(np.asarray(arrival_ns, np.int64))
    after = tape.places_at(arrival)

    def each(values: np.ndarray | int | str, kind: type | str) -> np.ndarray:
        return np.broadcast_to(np.asarray(values, kind), arrival.shape)

    return Prints(
        after,
        arrival,
        arrival if ts_event_ns is None else each(ts_event_ns, np.int64),
        each(price_nanos, np.int64),
        each(size_shares, np.int64),
        each(side, "U1"),
        after if numbered_after is None else each(numbered_after, np.int64),
    )


@dataclass(frozen=True)
class Edits:
    """Changed fields of natural trades; each array has the shape (places,), None where a field stays."""

    places: np.ndarray = field(default_factory=_nothing)
    ts_event_ns: np.ndarray | None = None
    ts_recv_ns: np.ndarray | None = None
    price_nanos: np.ndarray | None = None
    size_shares: np.ndarray | None = None
    side: np.ndarray | None = None


@dataclass(frozen=True)
class Event:
    """What a detector is to find, once.

    Parameters
    ----------
    kind
        Name of the kind, or of one of its further kinds (`Scenario.further`).
    prints
        Positions in the change's `Prints` that belong to it.
    places
        Places of the natural trades that belong to it.
    """

    kind: str
    prints: np.ndarray = field(default_factory=_nothing)
    places: np.ndarray = field(default_factory=_nothing)


@dataclass(frozen=True)
class Change:
    """What a kind does to a tape at one place.

    Parameters
    ----------
    start_ns, stop_ns
        The stretch that it takes; other events keep away.
    events
        What is to be found.
    prints, edits, removed
        Extra trades, changed trades, and the places of trades that are left out.
    """

    start_ns: int
    stop_ns: int
    events: tuple[Event, ...]
    prints: Prints = field(default_factory=Prints)
    edits: Edits = field(default_factory=Edits)
    removed: np.ndarray = field(default_factory=_nothing)


class Scenario(ABC):
    """A kind of event. Its ranges in `styles.yaml` have `events`, the number of events a day."""

    name: ClassVar[str]
    labels: ClassVar[tuple[str, ...]] = ()
    """Labels that name it; without any, it is natural and has to stay quiet."""
    asked_named: ClassVar[float | None] = None
    """Share of events that has to be named; None where only the mean over all kinds is asked."""
    most_alerts: ClassVar[int | None] = None
    """Alerts that a natural event may have at most."""
    further: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Further kinds whose events it brings, with their labels."""
    lasting: ClassVar[bool] = False
    """Whether it lasts to the end of the session, so that only one fits into a day."""
    keeps_stamps_in_order: ClassVar[bool] = True
    """Whether its trades come in the order of their stamps."""
    keeps_trades: ClassVar[bool] = True
    """Whether every natural trade stays as it was."""

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:
        """Draw when it starts, in ns since 1970; None if the day has no such time."""
        return tape.draw_time(rng, draw.text("hours"))

    @abstractmethod
    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """Return what it does from a time on; None if it does not fit there."""


def all_prints(kind: str, prints: Prints) -> tuple[Event, ...]:
    """Return the one event that has all prints."""
    return (Event(kind, prints=np.arange(len(prints))),)


def moved(tape: Tape, places: np.ndarray, factor: np.ndarray | float) -> Edits:
    """Multiply prices by factors, and round them to their grid."""
    return Edits(places, price_nanos=on_grid(tape.price[places] * factor))


def within(tape: Tape, hours: str, start_ns: int, stop_ns: int) -> bool:
    """Tell whether a stretch lies within the hours."""
    first, last = tape.hours(hours)
    return first <= start_ns and stop_ns <= last


def with_the_next(tape: Tape, start_ns: int, stop_ns: int, least_trades: int) -> np.ndarray | None:
    """Return the places of a stretch's trades and of the one after it; None if there are too few, or no next.

    That one shows that a stretch in which something stood still or was wrong is over.
    """
    places = tape.between(start_ns, stop_ns)
    if len(places) < least_trades or places[-1] + 1 >= len(tape):
        return None
    return np.append(places, places[-1] + 1)


def either_way(rng: np.random.Generator) -> int:
    """Draw 1 or -1."""
    return 1 if rng.random() < 0.5 else -1


def off_by(rng: np.random.Generator, share: float) -> float:
    """Return the factor of a price that is off by a share of it, either way."""
    return 1 + share * either_way(rng)
