"""Several times the usual volume for minutes, while the price does not move for it."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Edits,
    Event,
    Scenario,
    all_prints,
    within,
)
from services.detector.offline.evaluation.scenarios.flow import at_market
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape

LEAST_TRADES = 30


class VolumeSurgeBySize(Scenario):
    """The natural trades are several times as large."""

    name = "volume_surge_by_size"
    labels: ClassVar = ("Volume Surge",)
    asked_named: ClassVar = 0.9
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        places = tape.between(start_ns, stop_ns)
        if len(places) < LEAST_TRADES or not within(tape, "regular", start_ns, stop_ns):
            return None
        spread = rng.lognormal(0, draw.number("spread"), len(places))
        sizes = np.maximum(1, np.rint(tape.size[places] * draw.number("times") * spread)).astype(np.int64)
        event = Event(self.name, places=places)
        return Change(start_ns, stop_ns, (event,), edits=Edits(places, size_shares=sizes))


class VolumeSurgeByCount(Scenario):
    """There are several times as many trades, of the usual sizes and at the market's prices."""

    name = "volume_surge_by_count"
    labels: ClassVar = ("Volume Surge",)
    asked_named: ClassVar = 0.9

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        stop_ns = start_ns + draw.ns("duration_s")
        places = tape.between(start_ns, stop_ns)
        if len(places) < LEAST_TRADES or not within(tape, "regular", start_ns, stop_ns):
            return None
        count = round(len(places) * (draw.number("times") - 1))
        prints = at_market(rng, tape, places, count, stop_ns)
        return Change(start_ns, stop_ns, all_prints(self.name, prints), prints)
