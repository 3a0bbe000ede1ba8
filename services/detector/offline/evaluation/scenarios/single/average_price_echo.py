"""Prints at an average price that a source does not mark as one."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape


class AveragePriceEcho(Scenario):
    """Some prints at the volume-weighted average price of the last hours, far from the market."""

    name = "average_price_echo"
    labels: ClassVar = ("Off-Market Price",)

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place, count = tape.place_at(start_ns), draw.whole("prints")
        window = tape.between(start_ns - draw.ns("window_s"), start_ns)
        if len(window) < count:
            return None
        average = round(float(np.average(tape.price[window], weights=tape.size[window] + 1e-9)), -5)
        if abs(average / tape.price_at(place) - 1) < draw.number("least_distance"):
            return None
        arrival = start_ns + np.sort(rng.integers(0, draw.ns("duration_s"), count))
        prints = prints_at(tape, arrival, int(average), tape.sample_sizes(rng, place, count), "N")
        return Change(start_ns, int(arrival[-1]), all_prints(self.name, prints), prints)
