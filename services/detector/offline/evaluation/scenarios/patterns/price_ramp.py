"""A price that small prints carry away for minutes, and that then falls back."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Edits,
    Event,
    Prints,
    Scenario,
    either_way,
    prints_at,
    within,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import NS_PER_S, Tape
from services.sources.ticks import on_grid

LEAST_TRADES = 30
COLLAPSE = "price_ramp_collapse"


class PriceRamp(Scenario):
    """The ramp is to be found while it runs; its collapse is a kind of its own in the report."""

    name = "price_ramp"
    labels: ClassVar = ("Price Ramp",)
    asked_named: ClassVar = 0.8
    further: ClassVar = {COLLAPSE: ("Price Ramp", "Off-Market Price", "Burst")}
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        ramp_ns, fall_ns = draw.ns("ramp_s"), draw.ns("collapse_s")
        top_ns = start_ns + ramp_ns
        stop_ns = top_ns + fall_ns
        places = tape.between(start_ns, stop_ns)
        rising = tape.latest[places] < top_ns
        if np.count_nonzero(rising) < LEAST_TRADES or not within(tape, "regular", start_ns, stop_ns):
            return None
        height = draw.number("height") * either_way(rng)
        curve = draw.number("curve")

        def factor(at_ns: np.ndarray) -> np.ndarray:
            up = np.clip((at_ns - start_ns) / ramp_ns, 0, 1) ** curve
            down = np.clip((stop_ns - at_ns) / max(1, fall_ns), 0, 1)
            return 1 + height * np.where(at_ns < top_ns, up, down)

        count = round(draw.number("prints_per_s") * ramp_ns / NS_PER_S)
        arrival = np.sort(rng.integers(start_ns, top_ns, count))
        extra: Prints = prints_at(
            tape,
            arrival,
            on_grid(tape.price[tape.places_at(arrival)] * factor(arrival)),
            rng.integers(1, draw.whole("most_shares"), count, endpoint=True),
            "B" if height > 0 else "A",
        )
        edits = Edits(places, price_nanos=on_grid(tape.price[places] * factor(tape.latest[places])))
        after = (
            np.arange(*np.array([places[~rising][0], places[-1] + 2]).clip(0, len(tape)))
            if not rising.all()
            else (tape.between(stop_ns, tape.last_ns)[:1])
        )
        events = (Event(self.name, np.arange(count), places[rising]), Event(COLLAPSE, places=after))
        return Change(start_ns, stop_ns, events, extra, edits)
