"""Rapid Price Change: a price far from that of the previous trade."""

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import distance_text
from services.detector.detectors.base import Detector, Flags, StateStore, score_beyond
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.serialize import one_record
from services.detector.engine.batch import ANCHOR_ELIGIBLE, PRICE_ELIGIBLE, Batch, SessionKey
from services.detector.engine.slots import grown

_STATE = np.dtype(np.float64)


class RapidPriceChangeParameters(Parameters):
    """Parameters of `RapidPriceChange`."""

    threshold_ratio: float = Field(
        0.05,
        gt=0,
        allow_inf_nan=False,
        description="The largest change, as a share of the price before, that is not flagged; 0.05 is 5 %.",
    )


class RapidPriceChange(Detector):
    """Flags relative price changes between consecutive trades of a session above a threshold."""

    name = "rapid_price_change"
    parameters = RapidPriceChangeParameters
    state_schema = str(_STATE.descr)

    def __init__(self, context: DetectorContext) -> None:
        self._parameters_of = context.parameters_of(self.name, RapidPriceChangeParameters)
        self._threshold_ratio = np.zeros(0)
        self._last_price = np.zeros(0, _STATE)

    @property
    def state_store(self) -> StateStore:
        """See `Detector`."""
        return self

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        self._threshold_ratio = grown(self._threshold_ratio, slot)
        self._threshold_ratio[slot] = self._parameters_of(session.symbol).threshold_ratio
        self._last_price = grown(self._last_price, slot)
        self._last_price[slot] = np.nan

    def save(self, slot: int) -> bytes:
        """See `StateStore`."""
        return self._last_price[slot].tobytes()

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`."""
        self._last_price[slot] = one_record(saved, _STATE)

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are ratios; expected is 0, no change."""
        is_priced = batch.has(PRICE_ELIGIBLE)
        is_anchor = batch.has(PRICE_ELIGIBLE | ANCHOR_ELIGIBLE)
        before = _prices_before(batch.slot, batch.price, is_anchor, self._last_price)
        change = np.where(is_priced, price_change(batch.price, before), 0.0)
        limit_of_each = self._threshold_ratio[batch.slot]
        at = np.flatnonzero(np.abs(change) > limit_of_each)
        value = change[at]
        limit = limit_of_each[at]
        reasons = [
            f"price {price:,.10g} is {distance_text(price, last)} {'above' if ratio > 0 else 'below'} the "
            f"{last:,.10g} of the previous trade, more than the limit of {limit_ratio:.2%}"
            for price, last, ratio, limit_ratio in zip(
                batch.price[at].tolist(), before[at].tolist(), value.tolist(), limit.tolist(), strict=True
            )
        ]
        return Flags(
            at=at,
            score=score_beyond(np.abs(value), limit),
            value=value,
            expected=np.zeros(len(at)),
            threshold=limit,
            reasons=reasons,
            contributions={"price_change": np.ones(len(at))},
            features={"price_change": value},
        )


def price_change(price: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the change as a share of the previous price; 0 where that is missing or 0."""
    known = np.isfinite(before) & (before != 0)
    return np.divide(price - before, np.abs(before), out=np.zeros(len(price)), where=known)


@njit(cache=True)
def _prices_before(
    slot: np.ndarray, price: np.ndarray, is_anchor: np.ndarray, last_price: np.ndarray
) -> np.ndarray:
    """Return the price of the eligible trade before in each trade's session; NaN where there is none."""
    before = np.empty(len(slot))
    for i in range(len(slot)):
        before[i] = last_price[slot[i]]
        if is_anchor[i]:
            last_price[slot[i]] = price[i]
    return before
