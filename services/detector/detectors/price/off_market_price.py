"""Off-Market Price: how far a price lies outside the prices of the last trades and of a few earlier ones.

The distance is taken from a robust envelope (the second lowest to the second highest of the recent prices,
and some spaced ones), not from the last trade, which would also flag the normal trade after a bad print.
Its unit mixes the tick, the dispersion of prices about the envelope's middle, and the volatility over the
time in which the price could have moved.
"""

from math import log, sqrt

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import distance_text
from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.explain import contributions_of, features_of, once_in
from services.detector.detectors.core.state import ANCHORS, BUY, PRICE, PRICES, SECOND_NS, SELL
from services.detector.detectors.core.tail import (
    FEW_TRADES,
    LN10,
    TailParameters,
    evidence_of,
    learn,
    median3,
    rarity_of,
    score_of,
    start_tail,
    value_at,
)
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

UNSEEN_MOVE = 0.01
"""The largest move expected before any was seen, as a share of the price; after n trades, 1/√n of it."""

MOVES_POWER = 2.0
"""Exponent of the tail of moves (a power law) beyond the largest one seen."""

GRID_FIRST, GRID_LAST = 16, 1024
"""A session's price grid is looked at after so many trades, and at each doubling up to the second number."""

GRID_FINEST = 1e-9


class OffMarketPriceParameters(
    TailParameters,
    tail_probability=0.002,
    threshold_prior=1.3,
    excess_scale_prior=0.2,
    excess_scale_floor=0.12,
    prior_trades=8000.0,
    prior_excesses=60.0,
    memory=30000.0,
    excesses=150.0,
    alert_rarity=4.0,
    evidence_offset=0.7,
    evidence_slope=1.3,
):
    """Parameters of Off-Market Price."""

    tick: float = Field(0.01, gt=0, description="smallest price step")
    tick_below_one: float = Field(
        0.0001, gt=0, description="the same for a session that starts below a price of 1"
    )
    envelope_trades: int = Field(12, ge=3, le=PRICES, description="recent trades that span the envelope")
    anchor_gap_s: float = Field(0.1, gt=0, description="least time between two spaced prices")
    anchor_age_s: float = Field(20.0, ge=0, description="how long a spaced price belongs to the envelope")
    scale_tick: float = Field(0.85, ge=0, description="weight of the tick in the unit of distance")
    scale_dispersion: float = Field(0.3, ge=0, description="weight of the dispersion")
    scale_volatility: float = Field(0.4, ge=0, description="weight of the volatility")
    dispersion_prior: float = Field(
        1e-3, gt=0, description="prior of the dispersion, as a share of the price"
    )
    dispersion_prior_trades: float = Field(20.0, gt=0, description="what that prior is worth")
    dispersion_trades: float = Field(150.0, gt=0, description="trades that the dispersion remembers")
    volatility_prior: float = Field(
        1e-4, gt=0, description="prior of the price's volatility over one second, as a share of the price"
    )
    step_prior: float = Field(
        7e-5, ge=0, description="prior of a usual price change, as a share of the price"
    )
    step_share: float = Field(0.7, ge=0, description="share of the usual change that counts as a tick")
    step_changes: float = Field(100.0, gt=0, description="price changes that the usual change remembers")
    changes_usual: float = Field(0.2, gt=0, lt=1, description="usual share of trades that change the price")
    changes_power: float = Field(0.3, ge=0, description="how much a calmer market shrinks the unit")
    changes_trades: float = Field(50.0, gt=0, description="trades that the share of changes remembers")
    against: float = Field(0.3, ge=0, description="weight of a buyer below, or a seller above, a calm market")
    run_growth: float = Field(1.5, ge=1, description="growth of distance at which a run flags again")
    off_grid_weight: float = Field(1.0, ge=0, description="weight of a price off the half-tick grid")
    off_grid_prior: float = Field(0.1, gt=0, description="off-grid prices expected before any was seen")
    off_grid_prior_trades: float = Field(1000.0, gt=0, description="trades that `off_grid_prior` stands for")


class OffMarketPrice(TailDetector):
    """Flags prices beyond the envelope of the recent ones, by how rare such a distance is."""

    name = "off_market_price"
    parameters = OffMarketPriceParameters
    part = PRICE
    evidence = "price_evidence"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are prices, expected is the envelope's middle."""
        at, found = self._alerts(batch)
        limit = np.maximum(np.expm1(found["price_threshold"]) * found["price_scale"], found["few_limit"])
        return Flags(
            at=at,
            score=score_of(found["price_evidence"]),
            value=batch.price[at],
            expected=0.5 * (found["low"] + found["high"]),
            threshold=np.where(found["distance"] > 0, found["high"] + limit, found["low"] - limit),
            reasons=[_reason(float(price), row) for price, row in zip(batch.price[at], found, strict=True)],
            contributions=contributions_of(found, PRICE),
            features=features_of(found),
        )


def _reason(price: float, row: Record) -> str:
    distance = row["distance"]
    if distance == 0.0:
        return (
            f"price {price:,.10g} is off the price grid that nearly all trades of this session follow; "
            f"this occurs {once_in(row['grid_rarity'])}"
        )
    near = float(row["high"] if distance > 0 else row["low"])
    low, high = f"{row['low']:,.10g}", f"{row['high']:,.10g}"
    recent = low if low == high else f"{low} to {high}"
    trades = int(row["few_prices"])
    if trades < 0:
        rarity = f"a distance this large occurs {once_in(row['price_rarity'] + row['grid_rarity'])}"
    else:
        moves = row["few_moves"]
        rarity = (
            f"that is {moves:,.0f} times the largest usual move among the session's first {trades} trades"
        )
    return (
        f"price {price:,.10g} is {distance_text(price, near)} "
        f"{'above' if distance > 0 else 'below'} the {recent} of recent trades; {rarity}"
    )


@njit(cache=True)
def start_price(s: Record, p: Record, event_ns: int, price: float) -> None:
    """Put the priors into a fresh record at the session's first trade."""
    s.tick = p.tick if abs(price) >= 1.0 else min(p.tick, p.tick_below_one)
    for j in range(PRICES):
        s.prices[j] = price
    for j in range(ANCHORS):
        s.anchors[j] = price
        s.anchor_ns[j] = event_ns
    s.anchor_count = 1
    s.dispersion = dispersion_prior(s, p, price)
    s.variance = variance_prior(s, p, price)
    s.changes = p.changes_usual
    s.step = step_prior(s, p, price)
    s.bad_trade = -10
    start_tail(s.tails[PRICE], p)


@njit(cache=True)
def dispersion_prior(s: Record, p: Record, price: float) -> float:
    """Return the prior of the dispersion; a price at or near zero tells of no scale, the tick does."""
    return max(p.dispersion_prior * abs(price), 0.1 * s.tick)


@njit(cache=True)
def variance_prior(s: Record, p: Record, price: float) -> float:
    """Return the prior of the price's variance over one second."""
    return max(p.volatility_prior * abs(price), 0.01 * s.tick) ** 2


@njit(cache=True)
def step_prior(s: Record, p: Record, price: float) -> float:
    """Return the prior of a usual price change."""
    return max(s.tick, p.step_prior * abs(price))


@njit(cache=True)
def measure_price(
    s: Record, p: Record, event_ns: int, price: float, side: int, out: Record
) -> tuple[float, float, float]:
    """Measure one price; returns the lowest and highest recent price and the envelope's middle."""
    if GRID_FIRST <= s.priced <= GRID_LAST and s.priced & (s.priced - 1) == 0:
        refine_grid(s, p)
    lowest = second_lowest = 1e300
    highest = second_highest = -1e300
    for j in range(p.envelope_trades):
        recent = s.prices[(s.priced - 1 - j) & (PRICES - 1)]
        if recent < lowest:
            second_lowest = lowest
            lowest = recent
        elif recent < second_lowest:
            second_lowest = recent
        if recent > highest:
            second_highest = highest
            highest = recent
        elif recent > second_highest:
            second_highest = recent
    low = second_lowest  # one bad print does not widen the envelope
    high = second_highest
    for j in range(ANCHORS):
        if event_ns - s.anchor_ns[j] < p.anchor_age_s * SECOND_NS:
            low = min(low, s.anchors[j])
            high = max(high, s.anchors[j])
    distance = 0.0
    if price > high:
        distance = price - high
    elif price < low:
        distance = price - low
    # A new price enters the envelope with its second trade: it had the time since the last but one to move.
    since_s = min((event_ns - s.second_last_ns) * 1e-9, 600.0)
    calm = (s.changes + 0.005) / p.changes_usual
    tick_part = p.scale_tick * max(s.tick, p.step_share * s.step) * min(1.0, calm) ** p.changes_power
    scale = tick_part + p.scale_dispersion * s.dispersion + p.scale_volatility * sqrt(s.variance * since_s)
    value = log(1.0 + abs(distance) / scale)
    if (distance > 0.0 and side == SELL) or (distance < 0.0 and side == BUY):
        value += p.against * max(0.0, -log(calm))
    tail = s.tails[PRICE]
    rarity = rarity_of(tail, value, p)
    threshold = value_at(tail, p.alert_rarity, p)
    learn(tail, value, threshold, p)

    # A price off the half-tick grid of the session is unusual in itself.
    grid_rarity = 0.0
    if not is_on_grid(price, s.tick):
        grid_rarity = max(
            0.0, -log((s.off_grid + p.off_grid_prior) / (s.priced + p.off_grid_prior_trades)) / LN10
        )
        if event_ns - s.off_grid_ns >= SECOND_NS:  # a run of them counts once a second
            s.off_grid += 1.0
            s.off_grid_ns = event_ns

    few_limit = 0.0
    limit = 1e300
    out.few_prices = s.priced if s.priced < FEW_TRADES else -1.0
    if s.priced < FEW_TRADES:
        seen = log(s.priced + 1.0) / LN10
        grid_rarity = min(grid_rarity, seen)
        move = usual_move(s, p, price)
        few_limit = move * 10.0 ** max((p.alert_rarity - seen) / MOVES_POWER, 0.0)
        limit = seen + MOVES_POWER * log(max(abs(distance) / move, 1.0)) / LN10
        out.few_moves = abs(distance) / move

    # The next trade of an off-market run at about the same distance suggests a new price level.
    is_run = (
        s.bad_trade == s.priced - 1
        and distance * s.bad_distance > 0.0
        and abs(distance) < p.run_growth * abs(s.bad_distance)
    )
    rarity = min(rarity, limit)
    is_bad = rarity >= p.alert_rarity
    if s.priced < FEW_TRADES and not is_bad and s.bad_trade != s.priced - 1:
        s.largest_move = max(s.largest_move, abs(price - s.last_price))
    if is_bad:
        s.bad_trade = s.priced
        s.bad_distance = distance
    total = min(rarity + p.off_grid_weight * grid_rarity, limit)
    if is_run:
        total = min(total, 0.99 * p.alert_rarity)

    out.price_evidence = evidence_of(total, p)
    out.price_rarity = rarity
    out.price_threshold = threshold
    out.price_value = value
    out.distance = distance
    out.price_scale = scale
    out.low = low
    out.high = high
    out.grid_rarity = grid_rarity
    out.few_limit = few_limit
    return lowest, highest, 0.5 * (second_lowest + second_highest)


@njit(cache=True)
def usual_move(s: Record, p: Record, price: float) -> float:
    """Return the largest move that is usual among a session's first trades."""
    if not is_on_grid(price, p.tick):
        s.is_off_coarse_grid = 1
    tick = s.tick if s.is_off_coarse_grid else max(s.tick, p.tick)
    return max(s.largest_move, UNSEEN_MOVE * abs(s.last_price) / sqrt(max(s.priced, 1.0)), tick)


@njit(cache=True)
def is_on_grid(price: float, tick: float) -> bool:
    """Tell whether a price is a multiple of half a tick."""
    cell = price / (0.5 * tick)
    # A price of many digits is not exact in binary.
    return bool(abs(cell - round(cell)) <= max(1e-3, 1e-15 * abs(cell)))


@njit(cache=True)
def refine_grid(s: Record, p: Record) -> None:
    """Take a finer tick if hardly any of the recent prices follow the present one.

    Currencies and coins have more decimals than the prices that the profile's tick was chosen for.
    """
    tick = s.tick
    off = count_off_grid(s, tick)
    if off < 0.75 * PRICES:
        return
    divisor = 1.0
    while off > 0.25 * PRICES and tick > 1.5 * GRID_FINEST:
        divisor *= 10.0  # exact, as repeated tenths would not be
        tick = s.tick / divisor
        off = count_off_grid(s, tick)
    if off > 0.25 * PRICES:
        return  # these prices have no grid
    s.tick = tick
    s.step = step_prior(s, p, s.last_price)
    s.dispersion = min(s.dispersion, dispersion_prior(s, p, s.last_price))
    s.variance = min(s.variance, variance_prior(s, p, s.last_price))
    s.off_grid = off + 1.0  # so few trades do not prove that others are unusual


@njit(cache=True)
def count_off_grid(s: Record, tick: float) -> int:
    """Count the recent prices that are no multiples of half a tick."""
    off = 0
    for j in range(PRICES):
        if not is_on_grid(s.prices[j], tick):
            off += 1
    return off


@njit(cache=True)
def remember_price(s: Record, p: Record, event_ns: int, price: float, middle: float) -> None:
    """Update what the next price is compared with."""
    gap_s = (event_ns - s.last_ns) * 1e-9
    deviation = min(abs(price - middle), 6.0 * s.dispersion + s.tick)
    s.dispersion += (deviation - s.dispersion) / min(
        p.dispersion_trades, s.priced + p.dispersion_prior_trades
    )
    moved = abs(price - s.last_price)
    if moved > 0.0 and gap_s < 0.1:  # later, the price had time to wander
        s.step += (min(moved, 3.0 * s.step) - s.step) / p.step_changes
    s.changes += ((1.0 if moved > 0.0 else 0.0) - s.changes) / p.changes_trades
    newest = (s.anchor_count - 1) % ANCHORS
    since_ns = event_ns - s.anchor_ns[newest]
    if since_ns >= p.anchor_gap_s * SECOND_NS and s.priced > 2:
        anchor = median3(
            s.prices[(s.priced - 1) & (PRICES - 1)],
            s.prices[(s.priced - 2) & (PRICES - 1)],
            s.prices[(s.priced - 3) & (PRICES - 1)],
        )
        variance = (anchor - s.anchors[newest]) ** 2 / (since_ns * 1e-9)
        s.variance += (min(variance, 25.0 * s.variance) - s.variance) / 60.0
        oldest = s.anchor_count % ANCHORS
        s.anchors[oldest] = anchor
        s.anchor_ns[oldest] = event_ns
        s.anchor_count += 1
    s.prices[s.priced & (PRICES - 1)] = price
