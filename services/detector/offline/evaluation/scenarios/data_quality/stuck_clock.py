"""A feed whose clock stands still."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Edits, Event, Scenario, with_the_next
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape

LEAST_TRADES = 20


class StuckClock(Scenario):
    """All trades of a stretch have the stamp of its first one; the next print belongs to it."""

    name = "stuck_clock"
    labels: ClassVar = ("Stuck Clock",)
    asked_named: ClassVar = 0.9
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:  # noqa: ARG002
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        own = with_the_next(tape, start_ns, stop_ns, LEAST_TRADES)
        if own is None:
            return None
        places = own[:-1]
        event = Event(self.name, places=own)
        stamps = np.full(len(places), tape.latest[places[0]])
        return Change(start_ns, stop_ns, (event,), edits=Edits(places, ts_event_ns=stamps))
