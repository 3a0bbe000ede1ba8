"""Prints that are held back somewhere, and come all at once."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Edits, Event, Scenario
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape

LEAST_TRADES = 20


class LateArrival(Scenario):
    """`ts_recv` of all trades of a stretch is its end; days without that column have no such events."""

    name = "late_arrival"
    labels: ClassVar = ("Late Arrival",)
    asked_named: ClassVar = 0.9
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        places = tape.between(start_ns, stop_ns)
        if tape.received is None or len(places) < LEAST_TRADES or places[-1] + 1 >= len(tape):
            return None
        # They come one after the other as fast as a line carries them.
        received = stop_ns + np.cumsum(rng.integers(200, round(1e9 * draw.number("pace_s")), len(places)))
        received = np.maximum(received, tape.received[places])
        event = Event(self.name, places=places)
        return Change(start_ns, stop_ns, (event,), edits=Edits(places, ts_recv_ns=received))
