"""A block at the market's price."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape

LARGEST_OF_DAY = 0.9999  # quantile; a block beyond it is one that a desk wants to hear of


class Block(Scenario):
    """One large print, as the day has others."""

    name = "block"

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place = tape.place_at(start_ns)
        size = min(draw.whole("size_shares"), int(np.quantile(tape.size, LARGEST_OF_DAY)))
        side = "N" if draw.chance("hidden") else str(tape.sample_sides(rng, place, 1)[0])
        prints = prints_at(tape, start_ns, tape.price_at(place), size, side)
        return Change(start_ns, start_ns, all_prints(self.name, prints), prints)
