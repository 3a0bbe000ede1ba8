"""High Volume: a trade larger than a fixed number of shares."""

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.trade import mean_size_text, size_text
from services.detector.detectors.base import Detector, Flags, StateStore, score_beyond
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.serialize import one_record
from services.detector.engine.batch import VOLUME_ELIGIBLE, Batch, SessionKey
from services.detector.engine.slots import grown

_STATE = np.dtype([("trades", np.int64), ("shares", np.float64)])


class HighVolumeParameters(Parameters):
    """Parameters of `HighVolume`."""

    threshold_shares: float = Field(
        20_000, ge=0, le=1e15, description="The largest size that is not flagged."
    )


class HighVolume(Detector):
    """Flags sizes above a threshold."""

    name = "high_volume"
    parameters = HighVolumeParameters
    state_schema = str(_STATE.descr)

    def __init__(self, context: DetectorContext) -> None:
        self._parameters_of = context.parameters_of(self.name, HighVolumeParameters)
        self._unit = context.size_unit
        self._threshold_shares = np.zeros(0)
        self._state = np.zeros(0, _STATE)

    @property
    def state_store(self) -> StateStore:
        """See `Detector`."""
        return self

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        self._threshold_shares = grown(self._threshold_shares, slot)
        self._threshold_shares[slot] = self._parameters_of(session.symbol).threshold_shares
        self._state = grown(self._state, slot)
        self._state[slot] = (0, 0.0)

    def save(self, slot: int) -> bytes:
        """See `StateStore`."""
        return self._state[slot].tobytes()

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`."""
        self._state[slot] = one_record(saved, _STATE)

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; expected is the mean size of the session's trades before."""
        is_eligible = batch.has(VOLUME_ELIGIBLE)
        trades_before, shares_before = _count(batch.slot, batch.size, is_eligible, self._state)
        limit_of_each = self._threshold_shares[batch.slot]
        at = np.flatnonzero(is_eligible & (batch.size > limit_of_each))
        size = batch.size[at]
        limit = limit_of_each[at]
        seen = trades_before[at]
        expected = shares_before[at] / np.maximum(seen, 1)
        reasons = [
            f"{size_text(shares)} {self._unit} in one trade, above the limit of {size_text(limit_shares)}"
            + (f"; the earlier trades of this session averaged {mean_size_text(mean)}" if trades else "")
            for shares, limit_shares, mean, trades in zip(
                size.tolist(), limit.tolist(), expected.tolist(), seen.tolist(), strict=True
            )
        ]
        return Flags(
            at=at,
            score=score_beyond(size, limit),
            value=size,
            expected=expected,
            threshold=limit,
            reasons=reasons,
            contributions={"size_shares": np.ones(len(at))},
            features={"size_shares": size},
        )


@njit(cache=True)
def _count(
    slot: np.ndarray, size: np.ndarray, is_eligible: np.ndarray, state: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the eligible trades and shares of each trade's session before it; whole numbers sum exactly.

    Sizes are added one by one in order: the only way that gives the same bits for any cut into batches.
    """
    trades_before = np.empty(len(slot), np.int64)
    shares_before = np.empty(len(slot))
    for i in range(len(slot)):
        session = state[slot[i]]
        trades_before[i] = session.trades
        shares_before[i] = session.shares
        if is_eligible[i]:
            session.trades += 1
            session.shares += size[i]
    return trades_before, shares_before
