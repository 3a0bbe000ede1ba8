"""An auction's print at a price that is not the market's."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Edits, Event, Scenario
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape


class _CrossPrice(Scenario):
    labels: ClassVar = ("Cross Price", "Off-Market Price")
    asked_named: ClassVar = 1.0
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:  # noqa: ARG002
        """See `Scenario`."""
        place = tape.cross(start_ns)
        if place is None:
            return None
        places = np.array([place])
        price = np.round(tape.price[places] * draw.number("factor")).astype(np.int64)
        return Change(
            start_ns,
            int(tape.latest[place]),
            (Event(self.name, places=places),),
            edits=Edits(places, price_nanos=price),
        )


class OpeningCrossPrice(_CrossPrice):
    """The opening cross at a wrong price."""

    name = "opening_cross_price"

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:  # noqa: ARG002
        """See `Scenario`."""
        return tape.opening_ns or None


class ClosingCrossPrice(_CrossPrice):
    """The closing cross at a wrong price."""

    name = "closing_cross_price"

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:  # noqa: ARG002
        """See `Scenario`."""
        return tape.closing_ns or None
