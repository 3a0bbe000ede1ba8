"""Z-Score: a return or a size far from the mean of the last trades, in standard deviations.

The rolling form of the textbook outlier test (Grubbs, "Procedures for Detecting Outlying Observations in
Samples", Technometrics 1969), on the log return from the trade before and on the logarithm of the size: both
are nearer to symmetric than prices and shares are. Means and variances follow the window by updates (Welford,
"Note on a Method for Calculating Corrected Sums of Squares and Products", Technometrics 1962).
"""

import math

import numpy as np
from numba import njit
from pydantic import Field, model_validator

from services.contracts.trade import mean_size_text, size_text
from services.detector.detectors.base import Detector, Flags, StateStore, score_beyond
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.price.value_windows import ValueWindows
from services.detector.detectors.serialize import one_record
from services.detector.engine.batch import (
    ANCHOR_ELIGIBLE,
    PRICE_ELIGIBLE,
    VOLUME_ELIGIBLE,
    Batch,
    SessionKey,
)
from services.detector.engine.record import Record
from services.detector.engine.slots import grown

_PARAMETERS = np.dtype(
    [("window_trades", np.int64), ("min_trades", np.int64), ("threshold_sigmas", np.float64)]
)

_WINDOW = np.dtype(
    [
        ("count", np.int64),
        ("next", np.int64),
        ("mean", np.float64),
        ("square_sum", np.float64),  # of the distances from the mean
        ("last", np.float64),
        ("alike", np.int64),  # how many of the newest values are the same
    ]
)

_SAVED = np.dtype([("last_price", np.float64), ("windows", _WINDOW, (2,))])
"""Head of a saved session; the returns and sizes of the windows follow, float64."""


class ZScoreParameters(Parameters):
    """Parameters of `ZScore`."""

    window_trades: int = Field(
        500, ge=2, le=100_000, description="Number of previous trades that a trade is compared with."
    )
    threshold_sigmas: float = Field(
        8.0,
        gt=0,
        allow_inf_nan=False,
        description="The largest distance from the mean, in standard deviations, that is not flagged.",
    )
    min_trades: int = Field(
        30, ge=2, description="Trades that must be there to compare with; at most `window_trades`."
    )

    @model_validator(mode="after")
    def _check_min_trades(self) -> "ZScoreParameters":
        if self.min_trades > self.window_trades:
            raise ValueError(f"min_trades ({self.min_trades}) is above window_trades ({self.window_trades})")
        return self


class ZScore(Detector):
    """Flags returns and sizes far from those of the last trades.

    Where fewer than `min_trades` are known, or all of them are the same, or a price is not positive and so
    has no log return, the z-score is 0. Memory for a session: 16 bytes for each trade of the widest window of
    any symbol.
    """

    name = "z_score"
    parameters = ZScoreParameters
    state_schema = f"{_SAVED.descr} and float64"

    def __init__(self, context: DetectorContext) -> None:
        self._parameters_of = context.parameters_of(self.name, ZScoreParameters)
        self._unit = context.size_unit
        self._parameters = np.zeros(0, _PARAMETERS)
        self._last_price = np.zeros(0)
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
        self._last_price = grown(self._last_price, slot)
        self._last_price[slot] = np.nan
        self._windows.open(slot, own.window_trades)

    def save(self, slot: int) -> bytes:
        """See `StateStore`."""
        head = np.zeros((), _SAVED)
        head["last_price"] = self._last_price[slot]
        head["windows"] = self._windows.state[slot]
        return head.tobytes() + self._windows.save(slot)

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`."""
        head = one_record(saved[: _SAVED.itemsize], _SAVED)
        window_trades = self._parameters[slot]["window_trades"]
        self._windows.restore(slot, head["windows"], saved[_SAVED.itemsize :], window_trades)
        self._last_price[slot] = head["last_price"]

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value is the z-score farther from the expected 0, and threshold has its sign."""
        known = _z_scores(
            batch.slot,
            batch.price,
            batch.size,
            batch.eligible,
            self._parameters,
            self._last_price,
            self._windows.state,
            self._windows.values,
        )
        limit_of_each = self._parameters["threshold_sigmas"][batch.slot]
        at = np.flatnonzero(np.abs(known[:, :2]).max(axis=1, initial=0.0) > limit_of_each)
        return_z, volume_z, log_return, mean_return, mean_log_size, trades = known[at].T
        limit = limit_of_each[at]
        by_return = np.abs(return_z) >= np.abs(volume_z)
        value = np.where(by_return, return_z, volume_z)
        squares = return_z**2 + volume_z**2
        sigma_return = np.divide(
            log_return - mean_return, return_z, out=np.zeros(len(at)), where=return_z != 0
        )
        reasons = [
            _reason(self._unit, is_return, *numbers)
            for is_return, *numbers in zip(
                by_return.tolist(),
                value.tolist(),
                limit.tolist(),
                batch.price[at].tolist(),
                np.expm1(log_return).tolist(),
                sigma_return.tolist(),
                batch.size[at].tolist(),
                np.expm1(mean_log_size).tolist(),
                trades.astype(np.int64).tolist(),
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
            contributions={"return_z": return_z**2 / squares, "volume_z": volume_z**2 / squares},
            features={"return_z": return_z, "volume_z": volume_z},
        )


def _reason(
    size_unit: str,
    is_return: bool,
    sigmas: float,
    limit: float,
    price: float,
    change: float,
    sigma_return: float,
    shares: float,
    usual_shares: float,
    trades: int,
) -> str:
    side = "above" if sigmas > 0 else "below"
    seen = (
        f"price {price:,.10g} is {abs(change):.3%} {'above' if change > 0 else 'below'} the previous trade, "
        f"{abs(sigmas):.1f} standard deviations of {100 * sigma_return:.2g}% {side} the mean change "
        f"of the last {trades:,} trades"
        if is_return
        else f"{size_text(shares)} {size_unit} in one trade are, on a logarithmic scale, {abs(sigmas):.1f} "
        f"standard deviations {side} the {mean_size_text(usual_shares)} usual in the last {trades:,} trades"
    )
    return f"{seen}; the limit is {limit:.4g} standard deviations"


@njit(cache=True)
def _z_scores(
    slot: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    eligible: np.ndarray,
    parameters: np.ndarray,
    last_price: np.ndarray,
    windows: np.ndarray,
    values: np.ndarray,
) -> np.ndarray:
    """Return z of return and of volume, log return, both means before, and trades known; shape (n, 6)."""
    known = np.zeros((len(slot), 6))
    for i in range(len(slot)):
        p = parameters[slot[i]]
        before = last_price[slot[i]]
        returns = windows[slot[i], 0]
        sizes = windows[slot[i], 1]
        row = known[i]
        row[3] = returns.mean
        row[4] = sizes.mean
        row[5] = sizes.count
        if eligible[i] & VOLUME_ELIGIBLE:
            log_size = math.log1p(size[i])
            row[1] = _z_score(sizes, log_size, p.min_trades)
            _push(sizes, values[slot[i], 1], p.window_trades, log_size)
        if not eligible[i] & PRICE_ELIGIBLE:
            continue
        if price[i] > 0.0 and before > 0.0:
            log_return = math.log(price[i] / before)
            row[0] = _z_score(returns, log_return, p.min_trades)
            row[2] = log_return
            if abs(row[0]) >= abs(row[1]):
                row[5] = returns.count
            _push(returns, values[slot[i], 0], p.window_trades, log_return)
        if eligible[i] & ANCHOR_ELIGIBLE:
            last_price[slot[i]] = price[i]
    return known


@njit(cache=True)
def _z_score(window: Record, value: float, min_trades: int) -> float:
    """Return the distance from the window's mean in its standard deviations; 0 where it is undefined."""
    if window.count < min_trades or window.alike >= window.count or window.square_sum <= 0.0:
        return 0.0
    return (value - window.mean) / math.sqrt(window.square_sum / (window.count - 1))


@njit(cache=True)
def _push(window: Record, values: np.ndarray, window_trades: int, value: float) -> None:
    """Add a value; it replaces the oldest one of a full window."""
    if window.count < window_trades:
        window.count += 1
        distance = value - window.mean
        window.mean += distance / window.count
        window.square_sum += distance * (value - window.mean)
    else:
        oldest = values[window.next]
        mean_before = window.mean
        window.mean += (value - oldest) / window_trades
        window.square_sum += (value - oldest) * (value - window.mean + oldest - mean_before)
    window.alike = window.alike + 1 if window.alike > 0 and value == window.last else 1
    window.last = value
    values[window.next] = value
    window.next += 1
    if window.next == window_trades:
        window.next = 0
        # Once per window length the sums are recomputed, so that rounding errors cannot accumulate; `next`
        # decides when, and it depends only on the session.
        window.mean = 0.0
        for k in range(window_trades):
            window.mean += values[k] / window_trades
        window.square_sum = 0.0
        for k in range(window_trades):
            window.square_sum += (values[k] - window.mean) ** 2
