"""A feed that repeats one price."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Edits, Event, Scenario, with_the_next
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape

LEAST_TRADES = 50
LEAST_MOVES = 10


class StuckPrice(Scenario):
    """All trades of a stretch have the price of its first one; the next print belongs to it."""

    name = "stuck_price"
    labels: ClassVar = ("Stuck Price",)
    asked_named: ClassVar = 0.9
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:  # noqa: ARG002
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        own = with_the_next(tape, start_ns, stop_ns, LEAST_TRADES)
        if own is None:
            return None
        places = own[:-1]
        if np.count_nonzero(np.diff(tape.price[places])) < LEAST_MOVES:
            return None  # the market itself stood still
        event = Event(self.name, places=own)
        prices = np.full(len(places), tape.price[places[0]])
        return Change(start_ns, stop_ns, (event,), edits=Edits(places, price_nanos=prices))
