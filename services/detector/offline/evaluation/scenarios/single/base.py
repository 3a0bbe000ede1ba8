"""Kinds that are one extra print with a wrong price."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Change, Scenario, all_prints, prints_at
from services.detector.offline.evaluation.scenarios.styles import Draw
from services.detector.offline.evaluation.scenarios.tape import Tape


class SinglePrint(Scenario):
    """One extra print; its ranges have `at_natural_time`, the probability of a natural trade's stamp."""

    labels: ClassVar = ("Off-Market Price",)

    def change(self, rng: np.random.Generator, tape: Tape, start_ns: int, draw: Draw) -> Change | None:
        """See `Scenario`."""
        place = tape.place_at(start_ns)
        if draw.chance("at_natural_time"):
            start_ns = int(tape.latest[place])
            place = tape.place_at(start_ns)
        price_and_size = self.price_and_size(rng, tape, place, draw)
        if price_and_size is None:
            return None
        side = str(tape.sample_sides(rng, place, 1)[0])
        prints = prints_at(tape, start_ns, *price_and_size, side)
        return Change(start_ns, start_ns, all_prints(self.name, prints), prints)

    def price_and_size(
        self, rng: np.random.Generator, tape: Tape, place: int, draw: Draw
    ) -> tuple[int, int] | None:
        """Return the price in 1e-9 dollars and the size in shares; None if the kind does not fit there."""
        price = self.price(rng, tape.price_at(place), draw)
        return None if price is None else (price, int(tape.sample_sizes(rng, place, 1)[0]))

    @abstractmethod
    def price(self, rng: np.random.Generator, market: int, draw: Draw) -> int | None:
        """Return the wrong price where the market is at `market`, both in 1e-9 dollars."""
