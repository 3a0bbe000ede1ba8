"""Aggressive prints in the last seconds that move the closing price."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Event,
    Scenario,
    either_way,
    moved,
    prints_at,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.ticks import on_grid


class MarkingTheClose(Scenario):
    """Prints of one side just before the close; `follow` is how far the natural prices go along."""

    name = "marking_the_close"
    labels: ClassVar = ("Marking the Close",)
    asked_named: ClassVar = 1.0
    keeps_trades = False

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:  # noqa: ARG002
        """See `Scenario`."""
        return tape.closing_ns - draw.ns("duration_s") if tape.closing_ns else None

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        stop_ns, count = tape.closing_ns, draw.whole("prints")
        move = draw.number("move") * either_way(rng)
        arrival = np.sort(rng.integers(start_ns, stop_ns, count))
        places = tape.between(start_ns, stop_ns)

        def progress(at_ns: np.ndarray) -> np.ndarray:
            share: np.ndarray = (at_ns - start_ns) / (stop_ns - start_ns)
            return share

        sizes = tape.sample_sizes(rng, tape.place_at(start_ns), count) * draw.number("times")
        prints = prints_at(
            tape,
            arrival,
            on_grid(tape.prices_at(tape.places_at(arrival)) * (1 + move * progress(arrival))),
            np.maximum(1, sizes).astype(np.int64),
            "B" if move > 0 else "A",
        )
        edits = moved(tape, places, 1 + draw.number("follow") * move * progress(tape.latest[places]))
        event = Event(self.name, np.arange(count), places)
        return Change(start_ns, stop_ns, (event,), prints, edits)
