"""A calm tape in regular hours to insert patterns into, and what a pattern's detector says of it."""

from dataclasses import replace

import numpy as np

from services.detector.detectors.base import Flags
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.loading import load_detector
from services.detector.detectors.usual_day import UsualDay
from services.detector.engine.batch import FULLY_ELIGIBLE, SIDE_CODES, Batch
from tests.unit.services.detector.batches import SESSION
from tests.unit.services.detector.detectors.market import CLOSE_NS, OPEN_NS, market

BUY, SELL = SIDE_CODES["B"], SIDE_CODES["A"]


def calm(to_close_s: float = 0.0) -> Batch:
    """Return an hour of trades about a second apart; with `to_close_s`, it ends so long before the close."""
    trades = market(3_600)
    if to_close_s:
        shift = CLOSE_NS - int(to_close_s * 1e9) - int(trades.event_ns[-1])
        return replace(trades, event_ns=trades.event_ns + shift)
    return trades


def with_prints(
    trades: Batch,
    event_ns: np.ndarray,
    price: np.ndarray | float,
    size: np.ndarray | float,
    side: np.ndarray | int = BUY,
) -> tuple[Batch, np.ndarray]:
    """Return trades with more prints in their place, and which they are."""
    count = len(event_ns)
    added = Batch(
        slot=np.zeros(count, np.int64),
        event_ns=event_ns.astype(np.int64),
        price=np.broadcast_to(np.asarray(price, np.float64), count),
        size=np.broadcast_to(np.asarray(size, np.float64), count),
        side=np.broadcast_to(np.asarray(side, np.int64), count),
        eligible=np.full(count, FULLY_ELIGIBLE),
    )
    columns = ("slot", "event_ns", "price", "size", "side", "eligible")
    whole = Batch(*(np.concatenate([getattr(trades, name), getattr(added, name)]) for name in columns))
    order = np.argsort(whole.event_ns, kind="stable")
    return whole[order], np.flatnonzero(order >= len(trades))


def flags_of(name: str, trades: Batch, usual: UsualDay | None = None) -> Flags:
    """Return what a pattern with its default parameters flags, where a profile has this usual day."""
    kind = load_detector(name)
    parameters = kind.parameters()
    detector = kind(
        DetectorContext(
            lambda _symbol: {name: parameters},
            lambda _day: (OPEN_NS, CLOSE_NS),
            time_zone="America/New_York",
            usual_day_of=lambda _symbol: usual,
        )
    )
    detector.open(0, SESSION)
    return detector.flag(trades)
