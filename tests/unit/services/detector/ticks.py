"""Small columns of trades for the detectors' tests."""

from collections.abc import Sequence

import numpy as np

from services.detector.detectors.base import Detector
from services.detector.ticks import Ticks


def ticks(
    price: Sequence[float] | None = None, size: Sequence[int] | None = None, gap_s: float = 1.0
) -> Ticks:
    """Return trades `gap_s` apart; a column that is not given is constant."""
    count = len(price if price is not None else size or [])
    return Ticks(
        event_ns=1_733_149_800_000_000_000 + (np.arange(count) * gap_s * 1e9).astype(np.int64),
        price=np.array(price if price is not None else [100.0] * count, np.float64),
        size=np.array(size if size is not None else [100] * count, np.int64),
        side=np.full(count, "N"),
    )


def flags_in_batches(detector: Detector, trades: Ticks, batch_trades: int) -> list[tuple]:
    """Return every flag as a tuple, its place counted in the whole session."""
    found = []
    for start in range(0, len(trades), batch_trades):
        flags = detector.flag(trades[start : start + batch_trades])
        for row, at in enumerate(flags.at.tolist()):
            found.append(
                (
                    start + at,
                    flags.score[row],
                    flags.value[row],
                    flags.expected[row],
                    flags.threshold[row],
                    flags.reasons[row],
                    {name: values[row] for name, values in flags.contributions.items()},
                    {name: values[row] for name, values in flags.features.items()},
                )
            )
    return found
