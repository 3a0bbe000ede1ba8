"""Many fills at a whole or half dollar, where orders rest."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.columns import PRICE_SCALE
from services.sources.ticks import tick_of

HALF_DOLLAR = PRICE_SCALE // 2


class RoundNumberFill(Scenario):
    """Prints of one price within a second, most of them of one size, as the market reaches the number."""

    name = "round_number_fill"

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:
        """See `Scenario`."""
        places = tape.between(*tape.hours(draw.text("hours")))
        away = np.abs((tape.price[places] + HALF_DOLLAR // 2) % HALF_DOLLAR - HALF_DOLLAR // 2)
        near = places[away <= draw.whole("ticks_away") * tick_of(tape.price[places])]
        return int(tape.latest[near[rng.integers(len(near))]]) if len(near) else None

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place, count = tape.place_at(start_ns), draw.whole("prints")
        price = round(tape.price_at(place) / HALF_DOLLAR) * HALF_DOLLAR
        if not price:
            return None
        sizes = tape.sample_sizes(rng, place, count)
        sizes[rng.random(count) < draw.number("one_size")] = draw.whole("size_shares")
        arrival = start_ns + np.sort(rng.integers(0, draw.ns("duration_s"), count))
        prints = prints_at(tape, arrival, price, sizes, "B" if rng.random() < 0.5 else "A")
        return Change(start_ns, int(arrival[-1]), all_prints(self.name, prints), prints)
