"""Small columns of trades for the detectors' tests."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from services.detector.detectors.base import Detector
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.parameters import Parameters
from services.detector.engine.batch import FULLY_ELIGIBLE, SIDE_CODES, Batch, SessionKey

SESSION = SessionKey("NVDA", "2024-12-02")


def context_of(name: str, parameters: Parameters | Callable[[str], Parameters]) -> DetectorContext:
    """Return the context of a single detector, with a calendar without auctions."""
    own = (lambda _symbol: parameters) if isinstance(parameters, Parameters) else parameters
    return DetectorContext(lambda symbol: {name: own(symbol)}, lambda _day: (0, 0))


def batch(
    price: Sequence[float] | np.ndarray | None = None,
    size: Sequence[float] | None = None,
    gap_s: float = 1.0,
    slot: int = 0,
) -> Batch:
    """Return trades of one session, `gap_s` apart; a column that is not given is constant."""
    count = len(price if price is not None else size or [])
    return Batch(
        slot=np.full(count, slot, np.int64),
        event_ns=1_733_149_800_000_000_000 + (np.arange(count) * gap_s * 1e9).astype(np.int64),
        price=np.array(price if price is not None else [100.0] * count, np.float64),
        size=np.array(size if size is not None else [100] * count, np.float64),
        side=np.full(count, SIDE_CODES["N"], np.int64),
        eligible=np.full(count, FULLY_ELIGIBLE),
    )


def interleaved(batches: Sequence[Batch], turns: Sequence[int]) -> Batch:
    """Interleave sessions, each in its order; `turns` names the session of each next trade."""
    starts = np.cumsum([0] + [len(one) for one in batches])
    next_of = list(starts[:-1])
    order = []
    for turn in turns:
        order.append(next_of[turn])
        next_of[turn] += 1
    whole = Batch(
        *(
            np.concatenate([getattr(one, name) for one in batches])
            for name in ("slot", "event_ns", "price", "size", "side", "eligible")
        )
    )
    return whole[np.array(order, np.int64)]


def flags_in_batches(
    detector: Detector, trades: Batch, batch_trades: int, sessions: Sequence[SessionKey] = (SESSION,)
) -> list[tuple[Any, ...]]:
    """Return every flag as a tuple, with its position over all batches; opens the sessions first."""
    for slot, session in enumerate(sessions):
        detector.open(slot, session)
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
