"""Minutes without a trade while the market is open."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Event,
    Scenario,
    either_way,
    moved,
    within,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import MINUTE_NS, Tape

LEAST_TRADES = 20
BACK_NS = 4 * MINUTE_NS


class Silence(Scenario):
    """Trades are left out; the next one carries the anomaly."""

    name = "silence"
    labels: ClassVar = ("Silence",)
    asked_named: ClassVar = 0.9
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        removed, next_place = tape.between(start_ns, stop_ns), tape.place_at(stop_ns - 1) + 1
        if (
            len(removed) < LEAST_TRADES
            or next_place >= len(tape)
            or not within(tape, "regular", start_ns, stop_ns)
        ):
            return None
        event = Event(self.name, places=np.array([next_place]))
        jump = draw.number("jump") * either_way(rng)
        if not jump:
            return Change(start_ns, stop_ns, (event,), removed=removed)
        places = tape.between(stop_ns, stop_ns + BACK_NS)
        edits = moved(tape, places, 1 + jump * (1 - (tape.latest[places] - stop_ns) / BACK_NS))
        return Change(start_ns, stop_ns + BACK_NS, (event,), edits=edits, removed=removed)


class SilenceThenJump(Silence):
    """The same, and the price is elsewhere afterwards."""

    name = "silence_then_jump"
