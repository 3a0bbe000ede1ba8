"""Thousands of prints of a share or a few within seconds."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape


class OddLotFlood(Scenario):
    """Small prints at the market's price, at a rate that it never has."""

    name = "odd_lot_flood"
    labels: ClassVar = ("Odd-Lot Flood",)
    asked_named: ClassVar = 0.9

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        count = draw.whole("prints")
        arrival = start_ns + np.sort(rng.integers(0, draw.ns("duration_s"), count))
        places = tape.places_at(arrival)
        prints = prints_at(
            tape,
            arrival,
            tape.price[places],
            rng.integers(1, draw.whole("most_shares"), count, endpoint=True),
            tape.sample_sides(rng, int(places[-1]), count),
        )
        return Change(start_ns, int(arrival[-1]), all_prints(self.name, prints), prints)
