"""A halt, and the auction that ends it at another price."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Event,
    Scenario,
    either_way,
    moved,
    prints_at,
    within,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import MINUTE_NS, Tape
from services.sources.ticks import on_grid

LEAST_TRADES = 20
EVENT_NS = 2 * MINUTE_NS


class Halt(Scenario):
    """No trades for minutes, a large print without a side, and a price that is back where it was later on."""

    name = "halt"
    most_alerts = 2
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        open_ns = start_ns + draw.ns("duration_s")
        fade_ns = draw.ns("fade_s")
        stop_ns = open_ns + fade_ns
        removed, places = tape.between(start_ns, open_ns), tape.between(open_ns, stop_ns)
        if len(removed) < LEAST_TRADES or not len(places) or not within(tape, "regular", start_ns, stop_ns):
            return None
        before = tape.place_at(start_ns - 1)
        move = draw.number("distance") * either_way(rng)
        size = max(1, round(tape.mean_size(before) * draw.number("times")))
        cross = prints_at(tape, open_ns - 1, int(on_grid(tape.price_at(before) * (1 + move))), size, "N")
        left = 1 - (tape.latest[places] - open_ns) / fade_ns
        event = Event(self.name, np.array([0]), tape.between(open_ns, open_ns + EVENT_NS))
        return Change(start_ns, stop_ns, (event,), cross, moved(tape, places, 1 + move * left), removed)
