"""A print that comes late, at a price that was not the market's then either."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Scenario,
    all_prints,
    off_by,
    prints_at,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.ticks import on_grid


class LateOffMarket(Scenario):
    """A late print; `numbered_late` is the probability that its sequence number is an old one, too."""

    name = "late_off_market"
    labels: ClassVar = ("Late Print", "Off-Market Price")
    asked_named: ClassVar = 0.9
    keeps_stamps_in_order = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place = tape.place_at(start_ns)
        ts = start_ns - draw.ns("age_s")
        then = tape.place_at(ts)
        if then < 0:
            return None
        prints = prints_at(
            tape,
            start_ns,
            int(on_grid(tape.price_at(place) * off_by(rng, draw.number("distance")))),
            tape.sample_sizes(rng, place, 1),
            tape.sample_sides(rng, place, 1),
            ts_event_ns=ts,
            numbered_after=then if draw.chance("numbered_late") else None,
        )
        return Change(ts, start_ns, all_prints(self.name, prints), prints)
