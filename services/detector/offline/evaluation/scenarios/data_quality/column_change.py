"""A column that means something else from now on."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Edits, Event, Scenario
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import MINUTE_NS, Tape
from services.sources.columns import PRICE_SCALE

EVENT_NS = 10 * MINUTE_NS
"""Trades so soon after the change belong to it."""

LEAST_TRADES = 100


class ColumnChange(Scenario):
    """Sides that are lost, sizes in another unit, stamps or prices that are rounded, to the end."""

    name = "column_change"
    labels: ClassVar = ("Column Change",)
    lasting = True
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        places = tape.between(start_ns, tape.last_ns + 1)
        event = Event(self.name, places=tape.between(start_ns, start_ns + EVENT_NS))
        if len(event.places) < LEAST_TRADES:
            return None
        return Change(start_ns, tape.last_ns, (event,), edits=self._edits(rng, tape, places, draw))

    def _edits(self, rng: np.random.Generator, tape: Tape, places: np.ndarray, draw: Draw) -> Edits:
        column = draw.text("column")
        if column == "side":
            how = draw.text("sides")
            if how == "lost":
                return Edits(places, side=np.full(len(places), "N"))
            one = "B" if rng.random() < 0.5 else "A"
            return Edits(places, side=np.full(len(places), one))
        if column == "size":
            sizes = np.maximum(1, np.rint(tape.size[places] * draw.number("size_factor")))
            return Edits(places, size_shares=sizes.astype(np.int64))
        if column == "ts_event":
            unit = draw.ns("stamp_unit_s")
            start = int(tape.latest[places[0]])
            return Edits(places, ts_event_ns=np.maximum(tape.ts[places] // unit * unit, start))
        unit = round(PRICE_SCALE * draw.number("price_unit"))
        return Edits(
            places, price_nanos=np.maximum(1, np.rint(tape.price[places] / unit)).astype(np.int64) * unit
        )
