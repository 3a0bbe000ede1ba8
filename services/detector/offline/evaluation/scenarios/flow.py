"""Extra trades at the market, as natural ones are: many kinds add them."""

import numpy as np

from services.detector.offline.evaluation.scenarios.base import Prints, prints_at
from services.detector.offline.evaluation.scenarios.tape import Tape

JITTER_NS = 20_000_000


def at_market(
    rng: np.random.Generator,
    tape: Tape,
    places: np.ndarray,
    count: int,
    stop_ns: int,
    sizes: np.ndarray | int | None = None,
    side: str | None = None,
) -> Prints:
    """Make prints like natural ones: each soon after one of them, at its price.

    Parameters
    ----------
    rng
        Random generator.
    tape
        The symbol's day.
    places
        The natural trades that they are like; each is drawn any number of times.
    count
        Number of prints.
    stop_ns
        None comes later.
    sizes
        Their sizes, one or `count`; None for those of recent trades.
    side
        Their side; None for the natural ones'.
    """
    like = places[rng.integers(0, len(places), count)]
    # Half at their model's very time, as the fills of one order are.
    jitter = rng.integers(1, JITTER_NS, count) * (rng.random(count) < 0.5)
    arrival = np.minimum(tape.latest[like] + jitter, stop_ns)
    order = np.argsort(arrival, kind="stable")
    if sizes is None:
        sizes = tape.sample_sizes(rng, int(places[-1]), count)
    return prints_at(
        tape,
        arrival[order],
        tape.price[like][order],
        sizes,
        tape.side[like][order] if side is None else side,
    )
