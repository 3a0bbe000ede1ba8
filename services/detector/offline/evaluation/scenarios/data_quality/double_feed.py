"""A feed that hands out everything twice, under new ids."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape

LEAST_TRADES = 30


class DoubleFeed(Scenario):
    """Each trade of a stretch comes again with its own stamp, at once or after some others."""

    name = "double_feed"
    labels: ClassVar = ("Repeated Feed",)
    asked_named: ClassVar = 0.9
    keeps_stamps_in_order = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:  # noqa: ARG002
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        places = tape.between(start_ns, stop_ns)
        if len(places) < LEAST_TRADES:
            return None
        arrival = tape.latest[places] + draw.ns("delay_s")
        prints = prints_at(
            tape,
            arrival,
            tape.price[places],
            tape.size[places],
            tape.side[places],
            ts_event_ns=tape.ts[places],
        )
        return Change(start_ns, max(stop_ns, int(arrival[-1])), all_prints(self.name, prints), prints)
