"""Many prints within milliseconds that carry the price away."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import (
    Change,
    Edits,
    Scenario,
    all_prints,
    either_way,
    moved,
    prints_at,
)
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import MINUTE_NS, Tape
from services.sources.ticks import on_grid, tick_of

LONGEST_GAP_NS = 5_000_000  # longer gaps of the real day are not within one burst
SLOW_RETURN_SPANS = 4  # after so many times its time constant, what is left of the move is gone


class Burst(Scenario):
    """A burst; its shape, its fills and whether the price returns are the style's."""

    name = "burst"
    labels: ClassVar = ("Burst",)
    keeps_trades = False

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place, count = tape.place_at(start_ns), draw.whole("prints")
        arrival = start_ns + 1 + _offsets(rng, tape, count, draw)
        market = tape.price_at(place)
        drift = max(draw.number("drift"), float(tick_of(market)) / market) * either_way(rng)
        sides = np.where(rng.random(count) < draw.number("one_sided"), "B" if drift > 0 else "A", "N")
        prints = prints_at(
            tape,
            arrival,
            on_grid(market * (1 + drift * _progress(rng, count, draw))),
            tape.sample_sizes(rng, place, count),
            sides,
        )
        edits = self._what_stays(tape, int(arrival[-1]), drift, draw)
        stop = int(tape.latest[edits.places[-1]]) if len(edits.places) else int(arrival[-1])
        return Change(start_ns, stop, all_prints(self.name, prints), prints, edits)

    def _what_stays(self, tape: Tape, stop_ns: int, drift: float, draw: Draw) -> Edits:
        """Carry the natural prices after the burst along, as long as its move lasts."""
        how = draw.text("return")
        if how == "at_once":
            return Edits()
        lasting_ns = draw.ns("return_s")
        if how == "slowly":
            places = tape.between(stop_ns + 1, stop_ns + SLOW_RETURN_SPANS * lasting_ns)
            left = np.exp(-(tape.latest[places] - stop_ns) / lasting_ns)
        else:  # not at all, as far as the burst goes: the price is back minutes later, little by little
            hold_ns = draw.ns("hold_s")
            places = tape.between(stop_ns + 1, stop_ns + hold_ns + 3 * MINUTE_NS)
            left = np.clip(1 - (tape.latest[places] - stop_ns - hold_ns) / (3 * MINUTE_NS), 0, 1)
        return moved(tape, places, 1 + drift * left)


def _offsets(rng: np.random.Generator, tape: Tape, count: int, draw: Draw) -> np.ndarray:
    """Draw the prints' times after the first, in ns; some share one, as the fills of an order do."""
    how = draw.text("gaps")
    if how == "sampled":
        gaps = tape.sample_gaps(rng, LONGEST_GAP_NS, count).astype(np.float64)
    elif how == "even":
        gaps = rng.uniform(0.8, 1.2, count)
    else:
        gaps = rng.exponential(1.0, count)
    gaps[rng.random(count) < draw.number("shared_stamps")] = 0
    for _ in range(draw.whole("pauses")):
        gaps[int(rng.integers(count))] += draw.number("pause_share") * gaps.sum()
    gaps[0] = 0
    total = gaps.sum()
    return np.cumsum(gaps * (draw.ns("duration_s") / total if total else 0)).astype(np.int64)


def _progress(rng: np.random.Generator, count: int, draw: Draw) -> np.ndarray:
    """Draw how much of the move each print has made, 0 to 1; some give part of it back on the way."""
    steps = rng.exponential(1.0, count) * (rng.random(count) < draw.number("moving_prints"))
    steps[-1] += 1e-9  # at least one moves
    progress: np.ndarray = (np.cumsum(steps) / steps.sum()) ** draw.number("curve")
    if draw.chance("gives_back"):
        centre, width = rng.uniform(0.3, 0.8), rng.uniform(0.05, 0.2)
        dip = np.maximum(0, 1 - np.abs(np.linspace(0, 1, count) - centre) / width)
        progress = np.clip(progress - draw.number("give_back") * dip, 0, 1)
    return progress
