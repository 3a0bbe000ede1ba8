"""Z-Score on levels: a price or a size far from the mean of the last ones, as tutorials compute it.

The textbook's outlier test on the numbers as they are, not on returns and logarithms as in `z_score`: mean
and the population's deviation of the last 50 prices, and of the last 50 sizes, 15 at least, before the trade
joins them. A millionth is added to the deviation, so that it is never 0: after prices that were all alike,
any other price is flagged, as it is there. Prices wander and sizes have long tails, so it flags much that is
usual; it is here to be compared with.
"""

import math

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.trade import mean_size_text, size_text
from services.detector.detectors.base import Detector, Flags, StateStore, score_beyond
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.price.value_windows import ValueWindows
from services.detector.detectors.price.z_score import ZScoreParameters
from services.detector.detectors.serialize import one_record
from services.detector.engine.batch import PRICE_ELIGIBLE, VOLUME_ELIGIBLE, Batch, SessionKey
from services.detector.engine.record import Record
from services.detector.engine.slots import grown

ADDED_DEVIATION = 1e-6
"""Added to each deviation, in dollars or shares, as tutorials do against a division by 0."""

_PARAMETERS = np.dtype(
    [("window_trades", np.int64), ("min_trades", np.int64), ("threshold_sigmas", np.float64)]
)
_WINDOW = np.dtype([("count", np.int64), ("next", np.int64)])
_SAVED = np.dtype([("windows", _WINDOW, (2,))])
"""Head of a saved session; the prices and sizes of the windows follow, float64."""

_MEASURED = np.dtype(
    [("z", np.float64), ("mean", np.float64), ("deviation", np.float64), ("count", np.int64)]
)


class LevelZScoreParameters(ZScoreParameters):
    """Parameters of `LevelZScore`."""

    window_trades: int = Field(
        50, ge=2, le=100_000, description="Number of previous trades that a trade is compared with."
    )
    threshold_sigmas: float = Field(
        4.0,
        gt=0,
        allow_inf_nan=False,
        description="The largest distance from the mean, in standard deviations, that is not flagged.",
    )
    min_trades: int = Field(
        15, ge=2, description="Trades that must be there to compare with; at most `window_trades`."
    )


class LevelZScore(Detector):
    """Flags prices and sizes far from the last ones.

    Memory for a session: 16 bytes for each trade of the widest window of any symbol.
    """

    name = "level_z_score"
    parameters = LevelZScoreParameters
    state_schema = f"{_SAVED.descr} and float64"

    def __init__(self, context: DetectorContext) -> None:
        self._parameters_of = context.parameters_of(self.name, LevelZScoreParameters)
        self._unit = context.size_unit
        self._parameters = np.zeros(0, _PARAMETERS)
        self._windows = ValueWindows(_WINDOW)

    @property
    def state_store(self) -> StateStore:
        """See `Detector`."""
        return self

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        own = self._parameters_of(session.symbol)
        self._parameters = grown(self._parameters, slot)
        self._parameters[slot] = (own.window_trades, own.min_trades, own.threshold_sigmas)
        self._windows.open(slot, own.window_trades)

    def save(self, slot: int) -> bytes:
        """See `StateStore`."""
        head = np.zeros((), _SAVED)
        head["windows"] = self._windows.state[slot]
        return head.tobytes() + self._windows.save(slot)

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`."""
        head = one_record(saved[: _SAVED.itemsize], _SAVED)
        window_trades = self._parameters[slot]["window_trades"]
        self._windows.restore(slot, head["windows"], saved[_SAVED.itemsize :], window_trades)

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value is the z-score farther from the expected 0, and threshold has its sign."""
        measured = np.zeros((len(batch), 2), _MEASURED)
        _measure(
            batch.slot,
            batch.price,
            batch.size,
            batch.eligible,
            self._parameters,
            self._windows.state,
            self._windows.values,
            measured,
        )
        limit_of_each = self._parameters["threshold_sigmas"][batch.slot]
        at = np.flatnonzero(np.abs(measured["z"]).max(axis=1, initial=0.0) > limit_of_each)
        price_z, volume_z = measured["z"][at].T
        limit = limit_of_each[at]
        by_price = np.abs(price_z) >= np.abs(volume_z)
        value = np.where(by_price, price_z, volume_z)
        squares = price_z**2 + volume_z**2
        leading = measured[at, np.where(by_price, 0, 1)]
        reasons = [
            _reason(self._unit, is_price, *numbers)
            for is_price, *numbers in zip(
                by_price.tolist(),
                np.where(by_price, batch.price[at], batch.size[at]).tolist(),
                value.tolist(),
                limit.tolist(),
                leading["mean"].tolist(),
                leading["deviation"].tolist(),
                leading["count"].tolist(),
                strict=True,
            )
        ]
        return Flags(
            at=at,
            score=score_beyond(np.abs(value), limit),
            value=value,
            expected=np.zeros(len(at)),
            threshold=np.copysign(limit, value),
            reasons=reasons,
            contributions={"price_z": price_z**2 / squares, "volume_z": volume_z**2 / squares},
            features={"price_z": price_z, "volume_z": volume_z},
        )


def _reason(
    size_unit: str,
    is_price: bool,
    seen: float,
    sigmas: float,
    limit: float,
    mean: float,
    deviation: float,
    trades: int,
) -> str:
    side = "above" if sigmas > 0 else "below"
    away = f"{abs(sigmas):,.1f} standard deviations of {deviation:,.4g} {side} the mean"
    where = (
        f"price {seen:,.10g} is {away} {mean:,.10g} of the last {trades:,} prices"
        if is_price
        else f"{size_text(seen)} {size_unit} in one trade are {away} {mean_size_text(mean)} "
        f"of the last {trades:,} sizes"
    )
    return f"{where}; the limit is {limit:.4g} standard deviations"


@njit(cache=True)
def _measure(
    slot: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    eligible: np.ndarray,
    parameters: np.ndarray,
    windows: np.ndarray,
    values: np.ndarray,
    measured: np.ndarray,
) -> None:
    """Measure prices (column 0) and sizes (column 1) against those before, and remember them."""
    for i in range(len(slot)):
        p = parameters[slot[i]]
        if eligible[i] & PRICE_ELIGIBLE:
            _judge(p, windows[slot[i], 0], values[slot[i], 0], price[i], measured[i, 0])
        if eligible[i] & VOLUME_ELIGIBLE:
            _judge(p, windows[slot[i], 1], values[slot[i], 1], size[i], measured[i, 1])


@njit(cache=True)
def _judge(p: Record, window: Record, values: np.ndarray, value: float, out: Record) -> None:
    """Measure a value against the window, and put it there; it replaces the oldest one of a full window."""
    count = window.count
    out.count = count
    if count >= p.min_trades:
        base = values[0]  # sums of distances from it are exact where all values are equal
        beyond = 0.0
        for k in range(count):
            beyond += values[k] - base
        mean = base + beyond / count
        squares = 0.0
        for k in range(count):
            squares += (values[k] - mean) ** 2
        out.mean = mean
        out.deviation = math.sqrt(squares / count) + ADDED_DEVIATION
        out.z = (value - mean) / out.deviation
    values[window.next] = value
    window.count = min(count + 1, p.window_trades)
    window.next = (window.next + 1) % p.window_trades
