"""One print whose clock is far ahead, and wrong prices after it."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Event, Scenario, off_by, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.ticks import on_grid

ERRORS = "error_after_clock_ahead"


class ClockAhead(Scenario):
    """The print is one event, and each wrong price that comes later another."""

    name = "clock_ahead"
    labels: ClassVar = ("Clock Ahead",)
    asked_named: ClassVar = 0.9
    further: ClassVar = {ERRORS: ("Off-Market Price",)}
    keeps_stamps_in_order = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        errors, span_ns = draw.whole("errors"), draw.ns("errors_within_s")
        if start_ns + span_ns > tape.last_ns:
            return None
        later = np.sort(rng.choice(np.arange(1, 10 * errors + 1), errors, replace=False)) * (
            span_ns // (10 * errors)
        )
        arrival = start_ns + np.append(0, later)
        places = tape.places_at(arrival)
        market = tape.prices_at(places)
        off = np.array([1.0, *(off_by(rng, draw.number("distance")) for _ in range(errors))])
        prints = prints_at(
            tape,
            arrival,
            on_grid(market * off),
            tape.sample_sizes(rng, int(places[0]), errors + 1),
            tape.sample_sides(rng, int(places[0]), errors + 1),
            ts_event_ns=arrival + np.append(draw.ns("ahead_s"), np.zeros(errors, np.int64)),
        )
        events = (
            Event(self.name, prints=np.array([0])),
            *(Event(ERRORS, prints=np.array([k])) for k in range(1, errors + 1)),
        )
        return Change(start_ns, int(arrival[-1]), events, prints)
