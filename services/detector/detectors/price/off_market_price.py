"""Off-Market Price: how far a price lies outside the prices of the last trades and of a few earlier ones.

The distance is taken from a robust envelope (the second lowest to the second highest of the recent prices,
and some spaced ones), not from the last trade, which would also flag the normal trade after a bad print.
Its unit mixes the tick, the dispersion of prices about the envelope's middle, and the volatility over the
time in which the price could have moved; it is at least the step of the session's prices, unless that is
large, and the step is learnt from several of them.
"""

from math import log, sqrt

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.trade import size_text
from services.detector.detectors.amounts import distance_text, span_text
from services.detector.detectors.base import EARLY_PRINTS, LAST_TELLING, Flags
from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.explain import contributions_of, features_of, once_in
from services.detector.detectors.core.state import ANCHORS, BUY, MOVES, PRICE, PRICES, SECOND_NS, SELL
from services.detector.detectors.core.tail import (
    ALERT,
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
from services.detector.detectors.price.slips import slip_text
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

UNSEEN_MOVE = 0.01
"""The largest move expected before any was seen, as a share of the price; after n trades, 1/√n of it."""

MOVES_POWER = 2.0
"""Exponent of the tail of moves (a power law) beyond the largest one seen, before any price change is known;
each of the first `MOVES_KNOWN` changes adds 1 to it."""
MOVES_KNOWN = 6

SPARSE_TRADES = 2_000
"""Up to so many trades, a session that hardly trades is judged by its own moves, as are its first."""

FIRST_JUDGED = 3
"""The session's price from which on one of the first two can be told to be wrong: either of two may be."""

SWAP_RARITY = 1.3
"""How much rarer (decades) a price is that is one just traded with its two digits of cents swapped: by chance
it would be so once in twenty times at most; on real days it was once in two hundred."""
SWAP_PRICES = 4
"""So many of the last prices count as just traded."""

LOW_RARITY = 0.2
"""Decades beyond the alert that are still `low`: as far as swapped cents, or small distances, go."""
SMALL_SHARE, SMALL_STEPS = 0.0005, 10.0
"""A distance of less than that share of the price, and of fewer steps, is unusual, but hardly an error."""
EXTENDED = 1.6
"""In extended hours, when spreads are wide, so many times as far."""

CENTRAL = MOVES // 4
COARSEST_TICKS, COARSEST_SHARE = 10.0, 0.0005
"""A learnt step is at most so many ticks, or that share of the price, unless most changes are equal."""
COARSEST_GRID = 0.01
"""But that share, if all of the last moves are whole multiples of the smallest."""

LEVEL_RATIO = 1.2
"""A level that changes by at least this factor is another scale, which units of distance follow."""
LEAST_RETURN = 0.02
"""So far a return goes at least, as a share of the price; a smaller one may be a stale price."""
RETURN_SHARE = 0.05
"""A price within that share of the distance from the level that was left returns to it."""

GRID_FIRST, GRID_LAST = 16, 1024
"""A session's price grid is looked at after so many trades, and at each doubling up to the second number."""

GRID_FINEST = 1e-9

STUCK_S = 20.0
"""A price that stands still for longer is stuck, or nobody trades."""

SILENCE_S = 60.0
"""From here on, a sentence says how long there was no trade."""
CENT = 0.01
COUNTED = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MOST_CENTS = len(COUNTED) - 1


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
    join_s=10.0,
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
    step_floor: float = Field(
        2e-4, ge=0, description="most of a step, as a share of the price, that the unit never falls below"
    )
    coarse_step: float = Field(
        0.001, ge=0, description="step, as a share of the price, from which distances count beyond one step"
    )
    step_changes: float = Field(100.0, gt=0, description="price changes that the usual change remembers")
    changes_usual: float = Field(0.2, gt=0, lt=1, description="usual share of trades that change the price")
    changes_power: float = Field(0.3, ge=0, description="how much a calmer market shrinks the unit")
    changes_trades: float = Field(50.0, gt=0, description="trades that the share of changes remembers")
    against: float = Field(0.3, ge=0, description="weight of a buyer below, or a seller above, a calm market")
    run_growth: float = Field(1.5, ge=1, description="growth of distance at which a run flags again")
    off_grid_weight: float = Field(1.0, ge=0, description="weight of a price off the half-tick grid")
    off_grid_prior: float = Field(0.1, gt=0, description="off-grid prices expected before any was seen")
    off_grid_prior_trades: float = Field(1000.0, gt=0, description="trades that `off_grid_prior` stands for")
    off_grid_most: float = Field(
        0.1, gt=0, description="share of off-grid prices among the last 32 from which they say nothing"
    )
    sparse_s: float = Field(
        20.0, gt=0, description="time of two trades from which a session's own moves limit how rare one is"
    )
    volatility_move: float = Field(
        1.5, ge=0, description="a usual move over a time, in volatilities over that time"
    )
    join_trades: float = Field(
        10.0, ge=0, description="`join_s` is so many times the time of two trades, where that is longer"
    )
    join_most_s: float = Field(30.0, ge=0, description="but never longer than this")
    return_s: float = Field(
        900.0, ge=0, description="how long a level that prices left is remembered; the return is no error"
    )


class OffMarketPrice(TailDetector):
    """Flags prices beyond the envelope of the recent ones, by how rare such a distance is."""

    name = "off_market_price"
    parameters = OffMarketPriceParameters
    part = PRICE
    evidence = "price_evidence"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are prices, expected is the envelope's middle."""
        at, found = self._alerts(batch)
        limit = largest_distance(found)
        price = np.where(found["wrong_print"] > 0, found["wrong_price"], batch.price[at])
        return Flags(
            at=at,
            score=score_of(found["price_evidence"]),
            value=price,
            expected=0.5 * (found["low"] + found["high"]),
            threshold=np.where(found["distance"] > 0, found["high"] + limit, found["low"] - limit),
            reasons=[
                _reason(float(one), float(size), row)
                for one, size, row in zip(price, batch.size[at], found, strict=True)
            ],
            contributions=contributions_of(found, PRICE),
            features=features_of(found),
            join_s=found["price_join_s"],
            of_print=found["wrong_print"].astype(np.int64),
        )


def largest_distance(measures: np.ndarray) -> np.ndarray:
    """Return how far from the envelope the largest price was that would not have been flagged, shape (n,).

    Parameters
    ----------
    measures
        `core.state.MEASURES` of n prices.
    """
    beyond = np.maximum(np.expm1(measures["price_threshold"]), 1.0) * measures["price_scale"]
    return np.maximum(beyond, measures["few_limit"])


def _reason(price: float, size: float, row: Record) -> str:
    distance = row["distance"]
    if distance == 0.0:
        return (
            f"price {price:,.10g} is off the price grid that nearly all trades of this session follow; "
            f"this occurs {once_in(row['grid_rarity'])}"
        )
    low, high = float(row["low"]), float(row["high"])
    near = high if distance > 0 else low
    recent = f"{low:,.10g}" if low == high else f"{low:,.10g} to {high:,.10g}"
    where = "above" if distance > 0 else "below"
    gap_s = float(row["price_gap_s"])
    silence = f", after {span_text(gap_s)} without a trade" if gap_s >= SILENCE_S else ""
    slip = slip_text(price, low, high)
    if not slip and row["meant_price"]:
        slip = f"digits of {row['meant_price']:.2f} swapped?"
    slip = f" ({slip})" if slip else ""
    if row["wrong_print"]:
        which, others = ("first", "after") if row["wrong_print"] == 1 else ("second", "around")
        return (
            f"the session's {which} price {price:,.10g} is {distance_text(price, near)} {where} the {recent} "
            f"of the {COUNTED[int(row['few_prices'])]} trades {others} it{slip}"
        )
    if row["is_cross"]:
        return (
            f"auction cross of {size_text(size)} shares at {price:,.10g} is {distance_text(price, near)} "
            f"{where} the {recent} of recent trades{slip}"
        )
    trades = int(row["few_prices"])
    if trades < 0:
        rarity = f"a distance this large occurs {once_in(row['price_rarity'] + row['grid_rarity'])}"
    else:
        rarity = (
            f"that is {row['few_moves']:,.2g} times the largest usual move among the session's first "
            f"{trades:,} trades"
        )
    return (
        f"price {price:,.10g} is {_far(price, near, float(row['price_tick']))} {where} the {recent} "
        f"of recent trades{silence}{slip}; {rarity}"
    )


def _far(price: float, near: float, tick: float) -> str:
    """Write a distance; one of few cents as these, too."""
    cents = round(100 * abs(price - near))
    text = distance_text(price, near)
    if (
        abs(tick - CENT) > 1e-9
        or not 1 <= cents <= MOST_CENTS
        or abs(abs(price - near) - cents * CENT) > 1e-9
    ):
        return text
    return f"{COUNTED[cents]} cent{'s' * (cents > 1)} ({text})"


@njit(cache=True)
def start_price(s: Record, p: Record, event_ns: int, price: float) -> None:
    """Put the priors into a fresh record at the session's first trade."""
    for j in range(PRICES):
        s.prices[j] = price
    s.anchors[0] = price
    s.anchor_ns[0] = event_ns
    s.anchor_count = 1
    s.changes = p.changes_usual
    s.bad_trade = s.run_trade = -10
    s.level_ratio = 1.0
    s.change_ns = event_ns
    s.first_price = price
    s.first_ns = event_ns
    start_scale(s, p, price)
    start_tail(s.tails[PRICE], p)


@njit(cache=True)
def start_scale(s: Record, p: Record, price: float) -> None:
    """Let the priors of all that is measured in prices follow from a price."""
    s.tick = p.tick if abs(price) >= 1.0 else min(p.tick, p.tick_below_one)
    s.dispersion = dispersion_prior(s, p, price)
    s.variance = variance_prior(s, p, price)
    s.step = step_prior(s, p, price)


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
def step_of(s: Record) -> float:
    """Return the step of the session's prices: the tick, or a coarser one that their changes show."""
    return max(s.tick, s.least_move, s.grid_step)


@njit(cache=True)
def is_extended(s: Record, event_ns: int) -> bool:
    """Tell whether it is before the opening, or after the close."""
    return bool(s.close_ns > 0 and (event_ns < s.open_ns or event_ns >= s.close_ns))


@njit(cache=True)
def is_coarse(s: Record, p: Record, price: float) -> bool:
    """Tell whether one step of the session's prices is a large share of them."""
    return bool(step_of(s) > p.coarse_step * abs(price))


@njit(cache=True)
def measure_price(
    s: Record, p: Record, event_ns: int, price: float, side: int, learns: bool, out: Record
) -> tuple[float, float, float]:
    """Measure one price; returns the lowest and highest recent price and the envelope's middle."""
    if GRID_FIRST <= s.priced <= GRID_LAST and s.priced & (s.priced - 1) == 0:
        refine_grid(s, p)
    lowest = second_lowest = 1e300
    highest = second_highest = -1e300
    known = max(1, min(p.envelope_trades, s.priced))
    for j in range(known):
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
    if known < 3:
        second_lowest = lowest
        second_highest = highest
    low = second_lowest  # one bad print does not widen the envelope
    high = second_highest
    for j in range(min(s.anchor_count, ANCHORS)):
        if event_ns - s.anchor_ns[j] < p.anchor_age_s * SECOND_NS:
            low = min(low, s.anchors[j])
            high = max(high, s.anchors[j])
    distance = 0.0
    if price > high:
        distance = price - high
    elif price < low:
        distance = price - low
    # A new price enters the envelope with its second trade: it had the time since the last but one to move,
    # and one that stood still had all that time.
    since_s = (event_ns - min(s.second_last_ns, s.change_ns)) * 1e-9
    calm = (s.changes + 0.005) / p.changes_usual
    step = step_of(s)
    beyond = abs(distance)
    if is_coarse(s, p, price):  # a step is the spread, and tells nothing of how far prices move
        beyond = max(beyond - step, 0.0)
        usual = sqrt(max(s.variance, variance_prior(s, p, price)) * since_s)
        scale = p.scale_dispersion * s.dispersion + p.scale_volatility * usual
    else:
        usual = sqrt(s.variance * since_s)
        tick_part = p.scale_tick * max(s.tick, p.step_share * s.step) * min(1.0, calm) ** p.changes_power
        scale = tick_part + p.scale_dispersion * s.dispersion + p.scale_volatility * usual
    scale = max(scale, min(step, p.step_floor * abs(price)))
    value = log(1.0 + beyond / scale)
    if beyond > 0.0 and ((distance > 0.0 and side == SELL) or (distance < 0.0 and side == BUY)):
        value += p.against * max(0.0, -log(calm))
    tail = s.tails[PRICE]
    rarity = rarity_of(tail, value, p)
    threshold = value_at(tail, p.alert_rarity, p)
    if learns:
        learn(tail, value, threshold, p)
    if abs(distance) <= 1.001 * step:  # one step is never off the market
        rarity = 0.0

    # A price off the half-tick grid of the session is unusual in itself, unless there are many of them now.
    grid_rarity = 0.0
    is_off_grid = not is_on_grid(price, s.tick)
    if is_off_grid:
        if s.off_grid_share < p.off_grid_most:
            grid_rarity = max(
                0.0, -log((s.off_grid + p.off_grid_prior) / (s.priced + p.off_grid_prior_trades)) / LN10
            )
        if event_ns - s.off_grid_ns >= SECOND_NS:  # a run of them counts once a second
            s.off_grid += 1.0
            s.off_grid_ns = event_ns
    elif rarity > 0.0:
        out.meant_price = meant_price(s, price)
        if out.meant_price > 0.0:
            grid_rarity = min(SWAP_RARITY, max(p.alert_rarity + LOW_RARITY - rarity, 0.0))
    s.off_grid_share += ((1.0 if is_off_grid else 0.0) - s.off_grid_share) / 32.0

    # A session's first prices, and those of one that hardly trades, are judged by its own moves as well.
    few_limit = 0.0
    limit = 1e300
    is_limited = s.priced < FEW_TRADES or (s.priced < SPARSE_TRADES and since_s >= p.sparse_s)
    out.few_prices = s.priced if is_limited else -1.0
    if is_limited:
        seen = log(s.priced + 1.0) / LN10
        if s.priced < FEW_TRADES:
            grid_rarity = min(grid_rarity, seen)
        power = MOVES_POWER + min(s.move_count, MOVES_KNOWN)
        move = max(usual_move(s, p, price), p.volatility_move * usual)
        few_limit = move * 10.0 ** max((p.alert_rarity - seen) / power, 0.0)
        limit = seen + power * log(max(abs(distance) / move, 1.0)) / LN10
        out.few_moves = abs(distance) / move

    # The next trade of an off-market run at about the same distance suggests a new price level.
    is_run = (
        s.bad_trade == s.priced - 1
        and distance * s.bad_distance > 0.0
        and abs(distance) < p.run_growth * abs(s.bad_distance)
    )
    # One that comes back to the level which prices left some time ago is no error either.
    is_return = (
        s.left_ns > 0
        and abs(distance) > LEAST_RETURN * abs(price)
        and event_ns - s.left_ns < p.return_s * SECOND_NS
        and abs(price - s.left_level) <= RETURN_SHARE * abs(distance) + scale
    )
    rarity = min(rarity, limit)
    is_bad = rarity >= p.alert_rarity
    if s.priced < SPARSE_TRADES and not is_bad and s.bad_trade != s.priced - 1:
        s.largest_move = max(s.largest_move, abs(price - s.last_price))
    if is_run and is_bad:
        s.run_trade = s.priced
    if not is_run:
        forget_stray(s, price)
    if is_bad:
        if not is_run:
            s.bad_middle = 0.5 * (second_lowest + second_highest)
        s.bad_trade = s.priced
        s.bad_distance = distance
        s.bad_price = price
    total = min(rarity + p.off_grid_weight * grid_rarity, limit)
    small = min(SMALL_SHARE * abs(price), SMALL_STEPS * step)
    if not is_off_grid and abs(distance) < (EXTENDED * small if is_extended(s, event_ns) else small):
        total = min(total, p.alert_rarity + LOW_RARITY)
    if is_run or is_return or s.priced < FIRST_JUDGED - 1:
        total = min(total, 0.99 * p.alert_rarity)

    out.price_evidence = evidence_of(total, p)
    out.price_rarity = rarity
    out.price_threshold = threshold
    out.price_value = value
    out.distance = distance
    out.price_scale = scale
    out.price_tick = s.tick
    out.price_gap_s = (event_ns - s.last_ns) * 1e-9
    if out.price_evidence >= ALERT:
        join_s = min(p.join_trades * since_s, p.join_most_s)
        s.joined_until_ns = max(s.joined_until_ns, event_ns + np.int64(join_s * SECOND_NS))
        out.price_join_s = max(p.join_s, min((s.joined_until_ns - event_ns) * 1e-9, p.join_most_s))
    out.low = low
    out.high = high
    out.grid_rarity = grid_rarity
    out.few_limit = few_limit
    if FIRST_JUDGED <= s.priced + 1 <= LAST_TELLING and s.is_early_told == 0:
        judge_early(s, p, event_ns, price, out)
    return lowest, highest, 0.5 * (second_lowest + second_highest)


@njit(cache=True)
def judge_early(s: Record, p: Record, event_ns: int, price: float, out: Record) -> None:
    """Tell whether the session's other prices, up to this one, show that one of its first two is wrong.

    It is judged as if it came after the others, whose changes tell how far prices usually move: a few equal
    ones may well be of the other side of a wide spread.
    """
    prices = s.priced + 1
    since_s = (event_ns - s.first_ns) * 1e-9
    alert = p.alert_rarity
    for number in range(1, EARLY_PRINTS + 1):
        wrong, other = s.first_price, s.prices[1]
        if number == 2:
            wrong, other = other, wrong
        low = min(other, price)
        high = max(other, price)
        power = MOVES_POWER
        for j in range(EARLY_PRINTS, prices):
            one = price if j == s.priced else s.prices[j]
            low = min(low, one)
            high = max(high, one)
            power += 1.0 if one != other else 0.0
            other = one
        power = min(power, MOVES_POWER + MOVES_KNOWN)
        distance = 0.0
        if wrong > high:
            distance = wrong - high
        elif wrong < low:
            distance = wrong - low
        level = max(abs(low), abs(high))
        tick = s.tick if s.is_off_coarse_grid else max(s.tick, p.tick)
        move = max(high - low, UNSEEN_MOVE * level / sqrt(prices - 1.0), tick)
        move = max(move, p.volatility_move * sqrt(variance_prior(s, p, level) * since_s))
        seen = log(float(prices)) / LN10
        rarity = seen + power * log(max(abs(distance) / move, 1.0)) / LN10
        if rarity < alert:
            continue
        alert = rarity  # the likelier one of the two
        s.is_early_told = 1
        s.largest_move = high - low
        out.wrong_print = number
        out.wrong_price = wrong
        out.price_evidence = evidence_of(rarity, p)
        out.price_rarity = rarity
        out.distance = distance
        out.low = low
        out.high = high
        out.few_prices = prices - 1.0
        out.few_moves = abs(distance) / move
        out.few_limit = move * 10.0 ** ((p.alert_rarity - seen) / power)


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
def meant_price(s: Record, price: float) -> float:
    """Return the price just traded of which this one has the two digits of cents swapped; 0 for none."""
    cents = round(100.0 * price)
    if price <= 0.0 or abs(100.0 * price - cents) > 1e-3:
        return 0.0
    ten, one = divmod(cents % 100, 10)
    swapped = cents + 9 * (one - ten)
    for j in range(1, SWAP_PRICES + 1):
        recent = s.prices[(s.priced - j) & (PRICES - 1)]
        if ten != one and abs(100.0 * recent - swapped) <= 1e-3:
            return float(recent)
    return 0.0


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
def remember_price(
    s: Record, p: Record, event_ns: int, price: float, middle: float, learns: bool, is_reopening: bool
) -> None:
    """Update what the next price is compared with; most prices of a flood of trades are not learnt from."""
    gap_s = (event_ns - s.last_ns) * 1e-9
    moved = abs(price - s.last_price)
    if s.priced == 2:
        check_first_price(s, p, price)
    if is_reopening:
        move_level(s, price, gap_s)
    follow_level(s, event_ns, price)
    if moved > 0.0:
        s.change_ns = event_ns
    is_stuck = event_ns - s.change_ns > STUCK_S * SECOND_NS  # a price that does not move tells of no moves
    if learns and not is_stuck:
        deviation = min(abs(price - middle), 6.0 * s.dispersion + step_of(s))
        s.dispersion += (deviation - s.dispersion) / min(
            p.dispersion_trades, s.priced + p.dispersion_prior_trades
        )
    if learns:
        if moved > 0.0 and gap_s < 0.1:  # later, the price had time to wander
            s.step += (min(moved, 3.0 * s.step) - s.step) / p.step_changes
        s.changes += ((1.0 if moved > 0.0 else 0.0) - s.changes) / p.changes_trades
        if moved > 0.0:
            remember_move(s, price, moved)
    newest = (s.anchor_count - 1) % ANCHORS
    since_ns = event_ns - s.anchor_ns[newest]
    if since_ns >= p.anchor_gap_s * SECOND_NS and s.priced > 2 and not is_stuck:
        anchor = median3(
            s.prices[(s.priced - 1) & (PRICES - 1)],
            s.prices[(s.priced - 2) & (PRICES - 1)],
            s.prices[(s.priced - 3) & (PRICES - 1)],
        )
        anchor_move = abs(anchor - s.anchors[newest])
        if is_coarse(s, p, price):
            anchor_move = max(anchor_move - step_of(s), 0.0)
        variance = anchor_move**2 / (since_ns * 1e-9)
        # What was still for long may start to move, by few steps at first.
        most = max(25.0 * s.variance, step_of(s) ** 2)
        s.variance += (min(variance, most) - s.variance) / 60.0
        oldest = s.anchor_count % ANCHORS
        s.anchors[oldest] = anchor
        s.anchor_ns[oldest] = event_ns
        s.anchor_count += 1
    s.prices[s.priced & (PRICES - 1)] = price


@njit(cache=True)
def small_one(values: np.ndarray, rank: int) -> float:
    """Return the value that `rank` of the others are below, at most."""
    for j in range(len(values)):
        below = up_to = 0
        for k in range(len(values)):
            if values[k] < values[j]:
                below += 1
            if values[k] <= values[j]:
                up_to += 1
        if below <= rank < up_to:
            return float(values[j])
    return 0.0


@njit(cache=True)
def remember_move(s: Record, price: float, moved: float) -> None:
    """Learn the step from the session's price changes: a small one, as few odd ones say nothing."""
    s.moves[s.move_count & (MOVES - 1)] = moved
    s.move_count += 1
    if s.move_count & (MOVES - 1) == 0:
        central = small_one(s.moves, CENTRAL)
        if small_one(s.moves, MOVES - 1 - CENTRAL) > 1.001 * central:  # no grid: they only happen to be large
            central = min(central, max(COARSEST_TICKS * s.tick, COARSEST_SHARE * abs(price)))
        # Half a tick is the middle between bid and ask.
        s.least_move = 0.0 if central < s.tick else central
        s.grid_step = grid_of(s.moves)
        if s.grid_step <= s.least_move or s.grid_step > COARSEST_GRID * abs(price):
            s.grid_step = 0.0


@njit(cache=True)
def grid_of(moves: np.ndarray) -> float:
    """Return the smallest of several moves if all of them are whole multiples of it; 0 if not."""
    smallest = moves.min()
    for j in range(len(moves)):
        steps = moves[j] / smallest
        if abs(steps - round(steps)) > 1e-3:
            return 0.0
    return float(smallest)


@njit(cache=True)
def check_first_price(s: Record, p: Record, price: float) -> None:
    """Forget the session's first price at the third if that agrees with the second alone."""
    first = s.prices[0]
    middle = median3(first, s.prices[1], price)
    if abs(first - middle) <= UNSEEN_MOVE * abs(middle):
        return
    s.prices[0] = middle
    for j in range(min(s.anchor_count, ANCHORS)):
        s.anchors[j] = middle
    start_scale(s, p, middle)


@njit(cache=True)
def forget_stray(s: Record, price: float) -> None:
    """Compare no later price with the last one if that was far off and this one does not confirm it."""
    if (
        s.bad_trade == s.priced - 1
        and s.priced >= LAST_TELLING
        and abs(s.bad_distance) > UNSEEN_MOVE * abs(price)
        and abs(price - s.bad_price) > 0.5 * abs(s.bad_distance)
    ):
        s.prices[s.bad_trade & (PRICES - 1)] = s.bad_middle


@njit(cache=True)
def follow_level(s: Record, event_ns: int, price: float) -> None:
    """Note which level prices have left, when three in a row confirm it, and that they are back."""
    if (
        s.run_trade == s.priced - 1
        and s.bad_trade == s.run_trade
        and abs(price - s.bad_price) <= 0.2 * abs(s.bad_distance)
    ):
        s.level_ratio = 1.0
        change_scale(s, price, s.bad_middle)
        s.left_level = s.bad_middle
        s.left_ns = event_ns
    elif abs(price - s.left_level) < 0.1 * abs(s.left_level) * abs(1.0 - s.level_ratio):
        change_scale(s, 1.0, s.level_ratio)
        s.level_ratio = 1.0
        s.bad_trade = s.run_trade = -10


@njit(cache=True)
def change_scale(s: Record, level: float, before: float) -> None:
    """Multiply what is measured in prices if the level has changed by a large factor."""
    if level <= 0.0 or before <= 0.0:
        return
    ratio = level / before
    if 1.0 / LEVEL_RATIO < ratio < LEVEL_RATIO:
        return
    s.dispersion *= ratio
    s.variance *= ratio * ratio
    s.step *= ratio
    s.largest_move *= ratio
    s.level_ratio = ratio


@njit(cache=True)
def move_level(s: Record, price: float, gap_s: float) -> None:
    """Compare with an auction's price alone, after a halt: the session starts again there."""
    move = price - s.last_price
    s.variance = max(s.variance, move * move / max(gap_s, 1.0))
    for j in range(PRICES):
        s.prices[j] = price
    for j in range(ANCHORS):
        s.anchors[j] = price
