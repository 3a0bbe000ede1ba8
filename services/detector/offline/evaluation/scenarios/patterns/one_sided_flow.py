"""Minutes in which nearly everybody buys, or sells."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Edits, Event, Scenario, within
from services.detector.offline.evaluation.scenarios.flow import at_market
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape

LEAST_TRADES = 50


class OneSidedFlow(Scenario):
    """Extra trades of one side, and the natural ones of the other side turned to it."""

    name = "one_sided_flow"
    labels: ClassVar = ("One-Sided Flow",)
    asked_named: ClassVar = 0.8
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        places = tape.between(start_ns, stop_ns)
        if len(places) < LEAST_TRADES or not within(tape, "regular", start_ns, stop_ns):
            return None
        side, other = ("B", "A") if rng.random() < 0.5 else ("A", "B")
        turned = (tape.side[places] == other) & (rng.random(len(places)) < draw.number("turned"))
        sides = np.where(turned, side, tape.side[places])
        prints = at_market(rng, tape, places, round(len(places) * draw.number("extra")), stop_ns, side=side)
        event = Event(self.name, np.arange(len(prints)), places)
        return Change(start_ns, stop_ns, (event,), prints, Edits(places, side=sides))
