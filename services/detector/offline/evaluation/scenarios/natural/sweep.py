"""One order that takes several resting ones."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Scenario,
    all_prints,
    either_way,
    prints_at,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.ticks import on_grid, tick_of


class NaturalSweep(Scenario):
    """Fills of one stamp, or of microseconds, over a few ticks at most."""

    name = "natural_sweep"

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place, count = tape.place_at(start_ns), draw.whole("prints")
        offsets = np.zeros(count, np.int64)
        if not draw.chance("one_stamp"):
            offsets = np.sort(rng.integers(0, draw.ns("duration_s"), count))
        market = tape.price_at(place)
        direction = either_way(rng)
        ticks = np.floor(np.linspace(0, draw.whole("ticks") + 0.999, count))
        prints = prints_at(
            tape,
            start_ns + offsets,
            on_grid(market + direction * ticks * tick_of(market)),
            tape.sample_sizes(rng, place, count),
            "B" if direction > 0 else "A",
        )
        return Change(start_ns, int(prints.arrival_ns[-1]), all_prints(self.name, prints), prints)
