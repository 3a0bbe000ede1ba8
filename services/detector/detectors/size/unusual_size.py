"""Unusual Size: a size against the mean of the last trades, less what its context explains.

Large lots come together: after recent volume, on the dominant side, at the edge of the recent prices. A
size is compared with what its context usually brings (a log-linear model; its weights were fitted on real
days and are parameters). A block that a desk would name by what it is worth, or by its share of the day's
volume, is flagged whatever surrounds it. Sizes are clipped before they enter a mean; otherwise one auction
would distort it for hours.
"""

from math import exp, floor, log

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.trade import mean_size_text, size_text
from services.detector.detectors.amounts import worth_text
from services.detector.detectors.base import Flags
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.explain import among_few, contributions_of, features_of, once_in
from services.detector.detectors.core.state import BUY, HIDDEN, SELL, SIZE
from services.detector.detectors.core.tail import (
    ALERT,
    FEW_TRADES,
    LN10,
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

BLOCK, LARGEST = 1.05 * ALERT, 1.3 * ALERT
"""Evidence of a block that is worth `block_notional`, and the least of the session's largest."""

LOW, LOWEST_MEDIUM = 1.15 * ALERT, 1.25 * ALERT
"""Evidence of a rarity stays below `medium`: from the first on it grows ever less, towards the second."""

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
    alert_rarity=3.4,
    evidence_offset=0.0,
    evidence_slope=0.5,
    join_s=10.0,
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
    context_prior_trades: float = Field(50.0, gt=0, description="what that prior is worth")
    context_trades: float = Field(20000.0, gt=0, description="trades that the usual sum remembers")
    surprise_origin: float = Field(1.5, description="added to the surprise")
    surprise_scale: float = Field(2.5, gt=0, description="divides it, before the exponential")
    learn_beyond: float = Field(
        1.5, ge=0, description="decades past the alert up to which an excess is learnt"
    )
    few_power: float = Field(
        1.5, gt=0, description="decades of rarity for a tenfold size that a session's first trades allow"
    )
    block_ratio: float = Field(
        100.0, gt=1, description="least size of a block that flags whatever explains it, in means"
    )
    block_notional: float = Field(2_000_000.0, gt=0, description="least price times size of such a block")
    block_day_share: float = Field(
        0.005, gt=0, lt=1, description="share of the session's volume from which a tenth of that is enough"
    )
    block_usual_day_share: float = Field(
        0.01, gt=0, lt=1, description="share of the profile's usual day from which no notional is needed"
    )
    largest_ratio: float = Field(
        250.0, gt=1, description="least size of the session's largest block that is `medium` for it, in means"
    )
    block_growth: float = Field(1.2, ge=0, description="evidence that a tenfold block adds")


class UnusualSize(TailDetector):
    """Flags sizes that neither the mean of the last trades nor their context explains, by rarity."""

    name = "unusual_size"
    parameters = UnusualSizeParameters
    part = SIZE
    evidence = "size_evidence"

    def __init__(self, context: DetectorContext) -> None:
        super().__init__(context)
        self._unit = context.size_unit

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value, mean and the size that would just be flagged at this moment, in shares."""
        at, found = self._alerts(batch)
        return Flags(
            at=at,
            score=score_of(found["size_evidence"]),
            value=batch.size[at],
            expected=found["mean_size"],
            threshold=found["size_limit"],
            reasons=[
                _reason(float(price), float(size), row, self._unit)
                for price, size, row in zip(batch.price[at], batch.size[at], found, strict=True)
            ],
            contributions=contributions_of(found, SIZE),
            features=features_of(found),
            join_s=np.maximum(self._join_s[batch.slot[at]], found["busy_join_s"]),
        )


def _reason(price: float, size: float, row: Record, unit: str) -> str:
    mean = row["mean_size"]
    if row["is_block"]:
        share = row["usual_day_share"]
        usual = f", {share:.2%} of a usual day's" if share else ""
        largest = ", the largest of the session so far outside auctions" if row["is_largest"] else ""
        return (
            f"block of {size_text(size)} at {price:,.10g}, worth {worth_text(price * size)}: "
            f"{size / mean:,.0f} times the mean of {mean_size_text(mean)} {unit}, and {row['day_share']:.2%} "
            f"of the session's volume so far{usual}{largest}"
        )
    return (
        f"size {size_text(size)} is {size / mean:,.0f} times the mean of {mean_size_text(mean)} {unit}, "
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
    learns: bool,
    out: Record,
) -> None:
    """Measure one size; `lowest` and `highest` are recent prices; an auction's print is not learnt.

    Nor is one that does not `learn`, as most in a flood of trades.
    """
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
    if learns:
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
    if s.sized < FEW_TRADES:  # the priors know no more of this symbol's sizes than these trades do
        rarity = min(rarity, log(s.sized + 1.0) / LN10 + p.few_power * max(ratio, 0.0) / LN10)
    threshold = value_at(tail, p.alert_rarity, p)
    if learns and not is_cross:
        learn(tail, value, value_at(tail, p.alert_rarity + p.learn_beyond, p), p)
    if rarity >= p.alert_rarity:
        out.size_limit = _largest_explained(mean, threshold, context, p)
    out.size_evidence = _low(evidence_of(rarity, p))
    s.day_shares += size
    out.day_share = size / max(s.day_shares, 1e-300)
    if is_cross:
        out.size_evidence = 0.0
    else:
        measure_block(s, p, price, size, mean, out)
    out.size_rarity = rarity
    out.size_threshold = threshold
    out.size_value = value
    out.size_ratio = ratio
    out.size_context = context
    out.mean_size = mean


@njit(cache=True)
def _low(evidence: float) -> float:
    """Keep the evidence of a rarity below `medium`, in the same order."""
    if evidence <= LOW:
        return evidence
    room = LOWEST_MEDIUM - LOW
    return LOW + room * (1.0 - exp((LOW - evidence) / room))


@njit(cache=True)
def measure_block(s: Record, p: Record, price: float, size: float, mean: float, out: Record) -> None:
    """Let a block that a desk would name have an alert, and a session's largest a `medium` one."""
    is_largest = size > s.largest_size
    s.largest_size = max(s.largest_size, size)
    notional = abs(price) * size
    is_known = out.day_share >= p.block_day_share and notional >= 0.1 * p.block_notional
    tenfold = log(max(notional / p.block_notional, 1.0)) / LN10
    if s.usual_shares > 0.0:
        out.usual_day_share = size / s.usual_shares
        usual_blocks = out.usual_day_share / p.block_usual_day_share
        is_known = is_known or usual_blocks >= 1.0
        tenfold = max(tenfold, log(max(usual_blocks, 1.0)) / LN10)
    if size < p.block_ratio * mean or not (is_known or notional >= p.block_notional):
        return
    evidence = _low(BLOCK + p.block_growth * tenfold)
    if is_largest and size >= p.largest_ratio * mean:
        evidence = max(evidence, LARGEST)
    if evidence >= out.size_evidence:
        out.is_block = 1.0
        out.is_largest = 1.0 if is_largest else 0.0
        out.size_evidence = evidence
        out.size_limit = min(p.block_ratio * mean, size)


@njit(cache=True)
def largest_sizes(price: np.ndarray, size: np.ndarray, measures: np.ndarray, p: Record) -> np.ndarray:
    """Return the size that each of n trades could have had without being flagged, shape (n,).

    Of those that are flagged it is what their detections say.

    Parameters
    ----------
    price, size
        Of the trades, shape (n,).
    measures
        `core.state.MEASURES`, shape (n,).
    p
        The session's parameters: `UnusualSizeParameters` as a record.
    """
    largest = np.empty(len(size))
    for i in range(len(size)):
        m = measures[i]
        if m.size_evidence >= ALERT:
            largest[i] = m.size_limit
            continue
        explained = _largest_explained(m.mean_size, m.size_threshold, m.size_context, p)
        if m.few_sizes >= 0.0:
            ratio = LN10 * max(p.alert_rarity - log(m.few_sizes + 1.0) / LN10, 0.0) / max(p.few_power, 1e-9)
            explained = max(explained, m.mean_size * exp(min(ratio, 50.0)))
        # A block that a desk would name, as `measure_block` has it.
        worth = p.block_notional / max(abs(price[i]), 1e-300)
        before = size[i] / max(m.day_share, 1e-300) - size[i]
        of_day = p.block_day_share / (1.0 - p.block_day_share) * before
        block = min(worth, max(0.1 * worth, of_day))
        if m.usual_day_share > 0.0:
            block = min(block, p.block_usual_day_share * size[i] / m.usual_day_share)
        largest[i] = min(explained, max(p.block_ratio * m.mean_size, block))
    return largest


@njit(cache=True)
def _largest_explained(mean: float, threshold: float, context: float, p: Record) -> float:
    """Return the largest size that its context explains, whose surprise is at the threshold."""
    needed = p.surprise_scale * log(max(threshold, 1e-9)) - p.surprise_origin - context
    return float(mean * exp(_ratio_of(needed, p)))


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
def remember_size(s: Record, p: Record, size: float, side: int, learns: bool) -> None:
    """Update what the next size is compared with."""
    clipped = min(size, p.size_clip * 0.5 * (s.mean200 + s.mean1000))
    if learns:
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
