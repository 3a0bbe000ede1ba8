"""A session with an exchange's calendar, for tests of the rulebook's detectors."""

from collections.abc import Sequence

import numpy as np

from services.detector.detectors.context import DetectorContext
from services.detector.detectors.parameters import Parameters
from services.detector.engine.batch import FULLY_ELIGIBLE, SIDE_CODES, Batch

OPEN_NS = 1_733_149_800_000_000_000
"""2024-12-02 09:30 in New York."""
CLOSE_NS = OPEN_NS + 23_400 * 1_000_000_000


def context(name: str, parameters: Parameters) -> DetectorContext:
    """Return the context of one detector on a day of New York's."""
    return DetectorContext(
        lambda _symbol: {name: parameters},
        lambda _day: (OPEN_NS, CLOSE_NS),
        time_zone="America/New_York",
    )


def trades(
    price: Sequence[float],
    at_s: Sequence[float] | None = None,
    size: Sequence[float] | None = None,
    eligible: Sequence[int] | None = None,
) -> Batch:
    """Return trades at these seconds after the open, a second apart from the first minute on by default."""
    count = len(price)
    seconds = np.array(at_s if at_s is not None else 60.0 + np.arange(count), np.float64)
    return Batch(
        slot=np.zeros(count, np.int64),
        event_ns=OPEN_NS + np.round(seconds * 1e9).astype(np.int64),
        price=np.array(price, np.float64),
        size=np.array(size if size is not None else [100] * count, np.float64),
        side=np.full(count, SIDE_CODES["N"], np.int64),
        eligible=np.array(eligible if eligible is not None else [FULLY_ELIGIBLE] * count, np.int64),
    )
