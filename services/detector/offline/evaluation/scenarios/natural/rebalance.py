"""Index funds that trade into the close."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Event, Prints, Scenario
from services.detector.offline.evaluation.scenarios.flow import at_market
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape

LEAST_TRADES = 30


class Rebalance(Scenario):
    """Several times the trades of the last minutes, with large ones among them."""

    name = "rebalance"
    most_alerts = 3

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:  # noqa: ARG002
        """See `Scenario`."""
        return tape.closing_ns - draw.ns("duration_s") if tape.closing_ns else None

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        places = tape.between(start_ns, tape.closing_ns)
        if len(places) < LEAST_TRADES:
            return None
        count = round(len(places) * (draw.number("times") - 1))
        plain = at_market(rng, tape, places, count, tape.closing_ns - 1)
        large = rng.random(count) < draw.number("large_share")
        sizes = np.where(large, rng.integers(*draw_range(draw), count), plain.size_shares)
        prints = Prints(**{**vars(plain), "size_shares": sizes})
        event = Event(self.name, np.arange(count), places)
        return Change(start_ns, tape.closing_ns, (event,), prints)


def draw_range(draw: Draw) -> tuple[int, int]:
    """Draw the sizes of large prints: from one number of shares up to another."""
    least = draw.whole("large_shares")
    return least, 4 * least
