"""Unusual Size: a size against the mean of the last trades, less what its context explains.

Large lots come together: after recent volume, on the dominant side, at the edge of the recent prices. A
size is compared with what its context usually brings (a log-linear model; its weights were fitted on real
days and are parameters). Sizes are clipped before they enter a mean; otherwise one auction would distort it
for hours.
"""

from math import exp, floor, log

from numba import njit
from pydantic import Field

from services.contracts.trade import mean_size_text, size_text
from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.explain import among_few, contributions_of, features_of, once_in
from services.detector.detectors.core.state import BUY, HIDDEN, SELL, SIZE
from services.detector.detectors.core.tail import (
    FEW_TRADES,
    TailParameters,
    bounded,
    evidence_of,
    learn,
    rarity_of,
    score_of,
    start_tail,
    value_at,
)
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

PRIOR_TRADES = 1000
"""A session with a size with decimals among its first so many trades is of coins, or of parts of shares. The
prior mean, in whole shares, says nothing of it: its means start again from the sizes seen so far."""


class UnusualSizeParameters(
    TailParameters,
    tail_probability=0.003,
    threshold_prior=2.8,
    excess_scale_prior=1.6,
    excess_scale_floor=0.8,
    prior_trades=2000.0,
    prior_excesses=8.0,
    memory=30000.0,
    excesses=150.0,
    alert_rarity=3.35,
    evidence_offset=0.0,
    evidence_slope=0.5,
):
    """Parameters of Unusual Size.

    Surprise grows with log(size / mean) by slopes that change at knees (multiples of the mean).
    """

    mean_size_prior: float = Field(150.0, gt=0, description="prior of the mean size, in shares")
    size_clip: float = Field(30.0, gt=1, description="what goes into means at most, in means")
    knee_low: float = Field(12.0, gt=0, description="first knee, in means")
    knee_middle: float = Field(20.0, gt=0, description="second knee, in means")
    knee_high: float = Field(30.0, gt=0, description="third knee, in means")
    slope_below: float = Field(5.0, ge=0, description="slope below the first knee")
    slope_low: float = Field(5.3, ge=0, description="slope to the second knee")
    slope_middle: float = Field(0.5, ge=0, description="slope to the third knee")
    slope_above: float = Field(0.1, ge=0, description="slope above it")
    w_mean30: float = Field(-0.57, description="weight of the log mean size of 30 trades")
    w_50ms: float = Field(-0.92, description="weight of the log mean size of the last 50 ms")
    w_1s: float = Field(-0.07, description="weight of the log mean size of the last second")
    w_30s: float = Field(-0.87, description="weight of the log mean size of the last 30 s")
    w_rate: float = Field(-0.23, description="weight of the log number of trades in the last second")
    w_hidden: float = Field(-0.47, description="for side N")
    w_hidden_before: float = Field(0.58, description="for a trade before of side N")
    w_same_side: float = Field(-0.23, description="for the side of the trade before")
    w_side_runs: float = Field(
        -1.2, description="weight of the share of trades with the side of the one before"
    )
    w_same_price: float = Field(-0.63, description="for the price of the trade before")
    w_with: float = Field(-1.8, description="for a buyer lifting, or a seller lowering, the price")
    w_edge: float = Field(
        -1.27, description="for a buyer at or above, a seller at or below, all recent prices"
    )
    context_prior: float = Field(-3.2, description="prior of the sum of the above")
    context_prior_trades: float = Field(300.0, gt=0, description="what that prior is worth")
    context_trades: float = Field(20000.0, gt=0, description="trades that the usual sum remembers")
    surprise_origin: float = Field(1.5, description="added to the surprise")
    surprise_scale: float = Field(2.5, gt=0, description="divides it, before the exponential")
    learn_beyond: float = Field(
        1.5, ge=0, description="decades past the alert up to which an excess is learnt"
    )


class UnusualSize(TailDetector):
    """Flags sizes that neither the mean of the last trades nor their context explains, by rarity."""

    name = "unusual_size"
    parameters = UnusualSizeParameters
    part = SIZE
    evidence = "size_evidence"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value, mean and the size that would just be flagged at this moment, in shares."""
        at, found = self._alerts(batch)
        return Flags(
            at=at,
            score=score_of(found["size_evidence"]),
            value=batch.size[at],
            expected=found["mean_size"],
            threshold=found["size_limit"],
            reasons=[_reason(float(size), row) for size, row in zip(batch.size[at], found, strict=True)],
            contributions=contributions_of(found, SIZE),
            features=features_of(found),
        )


def _reason(size: float, row: Record) -> str:
    mean = row["mean_size"]
    return (
        f"size {size_text(size)} is {size / mean:,.0f} times the mean of {mean_size_text(mean)} shares, "
        f"and the trades around it do not explain it; "
        f"a surprise this large occurs {once_in(row['size_rarity'])}{among_few(row)}"
    )


@njit(cache=True)
def start_size(s: Record, p: Record) -> None:
    """Put the priors into a fresh record."""
    s.mean30 = s.mean200 = s.mean1000 = p.mean_size_prior
    s.least_size = 1.0
    s.side_runs = 0.5
    s.context = p.context_prior
    start_tail(s.tails[SIZE], p)


@njit(cache=True)
def measure_size(
    s: Record,
    p: Record,
    event_ns: int,
    price: float,
    size: float,
    side: int,
    lowest: float,
    highest: float,
    is_cross: bool,
    out: Record,
) -> None:
    """Measure one size; `lowest` and `highest` are recent prices; an auction's print is not learnt."""
    gap_s = (event_ns - s.size_ns) * 1e-9
    if gap_s > 0.0:
        decay = exp(-gap_s / 0.05)
        s.shares_50ms *= decay
        s.trades_50ms *= decay
        decay = exp(-gap_s)
        s.shares_1s *= decay
        s.trades_1s *= decay
        decay = exp(-gap_s / 30.0)
        s.shares_30s *= decay
        s.trades_30s *= decay
    mean = 0.5 * (s.mean200 + s.mean1000)
    moved = price - s.last_price
    context = (
        p.w_mean30 * log(s.mean30 / mean)
        + p.w_50ms * log((s.shares_50ms + mean) / ((s.trades_50ms + 1.0) * mean))
        + p.w_1s * log((s.shares_1s + mean) / ((s.trades_1s + 1.0) * mean))
        + p.w_30s * log((s.shares_30s + mean) / ((s.trades_30s + 1.0) * mean))
        + p.w_rate * log(s.trades_1s + 1.0)
        + p.w_side_runs * s.side_runs
    )
    if side == HIDDEN:
        context += p.w_hidden
    if s.last_side == HIDDEN:
        context += p.w_hidden_before
    if side == s.last_side:
        context += p.w_same_side
    if moved == 0.0:
        context += p.w_same_price
    elif (side == BUY and moved > 0.0) or (side == SELL and moved < 0.0):
        context += p.w_with
    if (side == BUY and price >= highest) or (side == SELL and price <= lowest):
        context += p.w_edge
    usual = s.context
    s.context += (context - usual) / min(p.context_trades, s.sized + p.context_prior_trades)
    context -= usual

    if 0.0 < size < s.least_size:
        s.least_size = size
    ratio = log(max(size, s.least_size) / mean)
    knee_low = log(p.knee_low)
    knee_middle = log(p.knee_middle)
    knee_high = log(p.knee_high)
    surprise = p.slope_below * min(ratio - knee_low, 0.0)
    if ratio > knee_low:
        surprise += p.slope_low * (min(ratio, knee_middle) - knee_low)
    if ratio > knee_middle:
        surprise += p.slope_middle * (min(ratio, knee_high) - knee_middle)
    if ratio > knee_high:
        surprise += p.slope_above * (ratio - knee_high)
    value = exp((surprise + context + p.surprise_origin) / p.surprise_scale)

    tail = s.tails[SIZE]
    out.few_sizes = s.sized if s.sized < FEW_TRADES else -1.0
    rarity = bounded(rarity_of(tail, value, p), s.sized, p)
    threshold = value_at(tail, p.alert_rarity, p)
    if not is_cross:
        learn(tail, value, value_at(tail, p.alert_rarity + p.learn_beyond, p), p)
    if rarity >= p.alert_rarity:
        needed = p.surprise_scale * log(max(threshold, 1e-9)) - p.surprise_origin - context
        out.size_limit = mean * exp(_ratio_of(needed, p))
    out.size_evidence = evidence_of(rarity, p)
    out.size_rarity = rarity
    out.size_threshold = threshold
    out.size_value = value
    out.size_ratio = ratio
    out.size_context = context
    out.mean_size = mean


@njit(cache=True)
def _ratio_of(surprise: float, p: Record) -> float:
    """Return log(size / mean) of a surprise: the inverse of the slopes between the knees."""
    ratio = log(p.knee_low)
    if surprise <= 0.0:
        return ratio + surprise / max(p.slope_below, 1e-9)
    step = p.slope_low * (log(p.knee_middle) - ratio)
    if surprise <= step:
        return ratio + surprise / max(p.slope_low, 1e-9)
    surprise -= step
    ratio = log(p.knee_middle)
    step = p.slope_middle * (log(p.knee_high) - ratio)
    if surprise <= step:
        return ratio + surprise / max(p.slope_middle, 1e-9)
    return min(log(p.knee_high) + (surprise - step) / max(p.slope_above, 1e-9), 50.0)


@njit(cache=True)
def _weight(s: Record, trades: float) -> float:
    """Return how many trades a mean remembers now: sizes with decimals start without the prior's."""
    return min(trades, s.sized + 1.0) if s.is_fractional else trades


@njit(cache=True)
def remember_size(s: Record, p: Record, size: float, side: int) -> None:
    """Update what the next size is compared with."""
    clipped = min(size, p.size_clip * 0.5 * (s.mean200 + s.mean1000))
    s.mean30 = max(s.mean30 + (clipped - s.mean30) / _weight(s, 30.0), s.least_size)
    s.mean200 = max(s.mean200 + (clipped - s.mean200) / _weight(s, 200.0), s.least_size)
    s.mean1000 = max(s.mean1000 + (clipped - s.mean1000) / _weight(s, 1000.0), s.least_size)
    if s.sized < PRIOR_TRADES and s.is_fractional == 0:
        s.size_sum += clipped
        if size != floor(size):
            s.is_fractional = 1
            s.mean30 = s.mean200 = s.mean1000 = max(s.size_sum / (s.sized + 1), s.least_size)
    s.shares_50ms += clipped
    s.trades_50ms += 1.0
    s.shares_1s += clipped
    s.trades_1s += 1.0
    s.shares_30s += clipped
    s.trades_30s += 1.0
    s.side_runs += ((1.0 if side == s.last_side else 0.0) - s.side_runs) / 20.0
