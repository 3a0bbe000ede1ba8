"""The same print again and again within a second."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape


class PrintStorm(Scenario):
    """One price, one size, one side, many times."""

    name = "print_storm"
    labels: ClassVar = ("Print Storm",)
    asked_named: ClassVar = 0.9

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place, count = tape.place_at(start_ns), draw.whole("prints")
        offsets = np.sort(rng.integers(0, draw.ns("duration_s"), count))
        if draw.chance("one_stamp"):
            offsets[:] = 0
        prints = prints_at(
            tape,
            start_ns + offsets,
            tape.price_at(place),
            int(tape.sample_sizes(rng, place, 1)[0]),
            str(tape.sample_sides(rng, place, 1)[0]),
        )
        return Change(start_ns, int(prints.arrival_ns[-1]), all_prints(self.name, prints), prints)
