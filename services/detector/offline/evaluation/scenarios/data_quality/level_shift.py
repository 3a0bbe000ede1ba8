"""Prices that change by a constant factor at once."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Edits,
    Event,
    Scenario,
    moved,
    with_the_next,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import MINUTE_NS, Tape

LEAST_TRADES = 30
SPLIT_EVENT_NS = 5 * MINUTE_NS
"""Trades so soon after a split belong to it."""


class LevelShift(Scenario):
    """A wrong scale for minutes; the first print at the old level again belongs to it."""

    name = "level_shift"
    labels: ClassVar = ("Level Shift",)
    asked_named: ClassVar = 1.0
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:  # noqa: ARG002
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        own = with_the_next(tape, start_ns, stop_ns, LEAST_TRADES)
        if own is None:
            return None
        places = own[:-1]
        event = Event(self.name, places=own)
        return Change(start_ns, stop_ns, (event,), edits=scaled(tape, places, draw.number("factor")))


class Split(Scenario):
    """A split that nobody announced: the factor holds to the end."""

    name = "split"
    labels: ClassVar = ("Level Shift",)
    asked_named: ClassVar = 1.0
    lasting = True
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:  # noqa: ARG002
        """See `Scenario`."""
        places = tape.between(start_ns, tape.last_ns + 1)
        event = Event(self.name, places=tape.between(start_ns, start_ns + SPLIT_EVENT_NS))
        if len(event.places) < LEAST_TRADES:
            return None
        return Change(start_ns, tape.last_ns, (event,), edits=moved(tape, places, draw.number("factor")))


def scaled(tape: Tape, places: np.ndarray, factor: float) -> Edits:
    """Multiply prices exactly, as a wrong scale does: they may leave their grid."""
    return Edits(places, price_nanos=np.rint(tape.price[places] * factor).astype(np.int64))
