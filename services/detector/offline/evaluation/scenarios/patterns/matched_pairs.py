"""Pairs that look as if one owner traded with himself."""

from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape


class MatchedPairs(Scenario):
    """A buy and a sale of one size at one price, at regular times."""

    name = "matched_pairs"
    labels: ClassVar = ("Matched Pairs",)
    asked_named: ClassVar = 0.8

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place, pairs = tape.place_at(start_ns), draw.whole("pairs")
        period_ns, within_ns = draw.ns("period_s"), draw.ns("within_s")
        jitter = rng.uniform(-1, 1, pairs) * draw.number("jitter") * period_ns / 2
        first = start_ns + np.maximum.accumulate(
            (np.arange(1, pairs + 1) * period_ns + jitter).astype(np.int64)
        )
        arrival = np.ravel(np.column_stack([first, first + min(within_ns, period_ns // 4)]))
        arrival = np.maximum.accumulate(arrival)
        places = np.repeat(tape.places_at(first), 2)
        market, price = tape.prices_at(places), tape.price_at(place)
        follows_market = draw.chance("follows_market")
        if not follows_market and np.abs(market / price - 1).max() > draw.number("most_away"):
            return None  # the market has left the price, so the pairs would be off it
        size = draw.whole("size_shares")
        prints = prints_at(
            tape, arrival, market if follows_market else price, size, np.tile(["B", "A"], pairs)
        )
        return Change(start_ns, int(arrival[-1]), all_prints(self.name, prints), prints)
