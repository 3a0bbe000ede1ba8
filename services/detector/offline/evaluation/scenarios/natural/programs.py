"""Regular orders of programs, and small ones."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Scenario,
    all_prints,
    prints_at,
    within,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape


class TwapProgram(Scenario):
    """Equal orders of one side, at nearly equal times, at the market."""

    name = "twap_program"

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        stop_ns, period_ns = start_ns + draw.ns("duration_s"), draw.ns("period_s")
        if not within(tape, "regular", start_ns, stop_ns):
            return None
        arrival = np.arange(start_ns, stop_ns, period_ns)
        jitter = rng.uniform(0, draw.number("jitter"), len(arrival)) * period_ns
        arrival = arrival + jitter.astype(np.int64)
        prices = tape.price[tape.places_at(arrival)]
        sizes = draw.whole("size_shares")
        prints = prints_at(tape, arrival, prices, sizes, "B" if rng.random() < 0.5 else "A")
        return Change(start_ns, stop_ns, all_prints(self.name, prints), prints)


class OddLotHalfMinute(Scenario):
    """Half a minute of many small prints at the market, as retail brokers send them."""

    name = "odd_lot_half_minute"

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        count = draw.whole("prints")
        arrival = start_ns + np.sort(rng.integers(0, draw.ns("duration_s"), count))
        places = tape.places_at(arrival)
        sizes = np.minimum(rng.geometric(draw.number("size_p"), count), draw.whole("most_shares"))
        prints = prints_at(
            tape, arrival, tape.price[places], sizes, tape.sample_sides(rng, int(places[-1]), count)
        )
        return Change(start_ns, int(arrival[-1]), all_prints(self.name, prints), prints)
