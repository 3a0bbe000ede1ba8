"""Another symbol's prints under this symbol's name."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import NS_PER_S, Tape
from services.sources.ticks import on_grid

LEAST_PRINTS = 10


class MixedPrices(Scenario):
    """Extra prints around another price, which wanders as prices do."""

    name = "mixed_prices"
    labels: ClassVar = ("Mixed Prices",)
    asked_named: ClassVar = 1.0

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        duration_ns = draw.ns("duration_s")
        count = max(LEAST_PRINTS, round(draw.number("prints_per_s") * duration_ns / NS_PER_S))
        place = tape.place_at(start_ns)
        arrival = start_ns + np.sort(rng.integers(0, duration_ns, count))
        steps = rng.normal(0, draw.number("step"), count)
        prints = prints_at(
            tape,
            arrival,
            on_grid(tape.price_at(place) * draw.number("factor") * np.exp(np.cumsum(steps))),
            tape.sample_sizes(rng, place, count),
            tape.sample_sides(rng, place, count),
        )
        return Change(start_ns, int(arrival[-1]), all_prints(self.name, prints), prints)
