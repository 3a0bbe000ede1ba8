"""A session whose first print is wrong."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape
from services.sources.columns import PRICE_SCALE

FIRST_TRADES = 20


class FirstPrintBad(Scenario):
    """A wrong print before all others; the good ones after it are not to blame."""

    name = "first_print_bad"
    labels: ClassVar = ("Off-Market Price",)

    def draw_start(self, rng: np.random.Generator, tape: Tape, draw: Draw) -> int | None:  # noqa: ARG002
        """See `Scenario`."""
        return tape.first_ns - draw.ns("before_s")

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        last = min(len(tape), FIRST_TRADES) - 1
        factor = draw.number("factor")
        price = round(tape.price_at(last) * factor) if factor else PRICE_SCALE // 10_000
        prints = prints_at(
            tape, start_ns, price, tape.sample_sizes(rng, last, 1), tape.sample_sides(rng, last, 1)
        )
        return Change(start_ns, int(tape.latest[last]), all_prints(self.name, prints), prints)
