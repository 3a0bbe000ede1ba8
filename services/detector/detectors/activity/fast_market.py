"""Fast Market: the price moves many times as far as usual, and trades come many times as fast.

Once a second the price and the number of trades are noted. The range of the prices of the last half minute is
compared with the session's usual one, and the pace of the last seconds with the usual one of this time of the
day. What trades do one by one is then judged against that range, too: a step that is small in a market which
moves so fast is at most `low`. That holds from the first seconds on, before a fast market is named.

Where few trade, the first print after the news looks like an error. It was none if the next ones, at several
prices, are there as well: then that is a fast market, however few they are.
"""

from math import exp, sqrt

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import distance_text, span_text
from services.detector.detectors.base import Flags, LazyReasons
from services.detector.detectors.core.detector import JoiningDetector
from services.detector.detectors.core.explain import features_of
from services.detector.detectors.core.pace import PACE_PRIOR
from services.detector.detectors.core.state import PRICES, SAMPLES, SECOND_NS
from services.detector.detectors.core.tail import ALERT, JUST_LOW, median3, score_of
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.patterns.time_of_day import usual_activity
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

ANOTHER_SCALE = 0.1
"""A step of more than that share of the price within a second is an error, or another scale."""

LEARNT = 2.5
"""The usual pace and range learn at most so many times themselves: a fast market hardly moves them."""

COUNTED = 4.0
"""A second counts at most so many usual ones, so that a burst is no fast market."""

RANGE_PRIOR = 10.0
"""The range of half a minute that is usual before any was seen, in volatilities of a second."""


LOOKS_BACK_S = 30.0
"""What began a market's haste was so long before it was named, at most."""

BACK = 2
"""A print back near the level that a jump left takes back so many that confirm it: of two levels at once, as
prints of another stock among this one's have, none is confirmed."""
LEAST_CHANGES = 3
"""So often the price has changed at a level, at least: one price again and again is no market."""


class FastMarketParameters(Parameters):
    """Parameters of Fast Market."""

    range_s: float = Field(30.0, ge=2, le=30, description="time whose range of prices is measured")
    pace_s: float = Field(10.0, gt=0, description="time in which the present pace fades")
    usual_s: float = Field(1200.0, gt=0, description="time in which the usual pace and range fade")
    least_pace: float = Field(
        2.0, gt=0, description="least pace, in usual ones of this time of the day, at which one begins"
    )
    least_range: float = Field(3.5, gt=0, description="least range, in usual ones, at which one begins")
    heavy_pace: float = Field(
        3.0,
        gt=0,
        description="least pace of a minute, in usual ones, that is enough before the close",
    )
    heavy_s: float = Field(60.0, gt=0, description="time in which that pace fades")
    heavy_trades: float = Field(200.0, gt=0, description="least trades of that time")
    before_close_s: float = Field(900.0, ge=0, description="how long before the close that is enough")
    still: float = Field(0.5, gt=0, le=1, description="share of both at which it is still one")
    least_move: float = Field(0.002, gt=0, description="least range, as a share of the price")
    least_steps: float = Field(6.0, ge=0, description="the same in steps of the price")
    most_at_once: float = Field(
        0.7, gt=0, le=1, description="largest share of the range within a second: more is a jump"
    )
    jump: float = Field(
        0.01, gt=0, description="range, as a share of the price, from which a jump is enough if it stays"
    )
    stays_s: float = Field(3.0, ge=0, description="how long")
    confirm_trades: int = Field(
        12, ge=3, description="trades at the new level that confirm such a jump, at whatever pace"
    )
    confirm_s: float = Field(5.0, ge=0, description="least time that they take")
    least_trades: float = Field(
        12.0,
        gt=0,
        description="least trades of the present pace, each as a share of the mean size, 1 at most",
    )
    most_of_second: float = Field(
        4.0, gt=0, description="of which a second counts at most, so that one sweep is no pace"
    )
    learning_s: float = Field(300.0, ge=0, description="a session is not judged before it has been so long")
    small_share: float = Field(
        0.0005,
        ge=0,
        description="a move of a burst, or a distance, that is small anywhere, as a share of the price",
    )
    small_move: float = Field(
        0.6, ge=0, description="move of a burst that is small, as a share of the last range, or the usual one"
    )
    small_distance: float = Field(
        1.5, ge=0, description="the same of a price, in moves of its time by the last range"
    )
    reaction_s: float = Field(0.2, gt=0, description="time that a price always had to move")
    busy_pace: float = Field(
        3.0, gt=1, description="pace, in the session's usual one at a calm time, from which a stretch is busy"
    )
    busy_join_s: float = Field(10.0, ge=0, description="`join_s` of unusual sizes in a busy stretch")
    close_join_s: float = Field(300.0, ge=0, description="the same in the last `before_close_s`")
    join_s: float = Field(
        300.0, ge=0, description="a flag so soon after the last is part of the same anomaly"
    )


class FastMarket(JoiningDetector):
    """Flags the trades of a fast market; the engine lets it explain what is small in it."""

    name = "fast_market"
    parameters = FastMarketParameters

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; expected is the price before it began, and the threshold a usual range off that."""
        measures = batch.measured()
        at = np.flatnonzero(measures["fast_pace"])
        found = measures[at]
        prices = batch.price[at]
        start = found["fast_start"]
        usual = found["fast_range"] / np.maximum(found["fast_move"], 1e-9)
        return Flags(
            at=at,
            score=score_of(np.full(len(at), JUST_LOW)),
            value=prices,
            expected=start,
            threshold=start + np.where(prices < start, -usual, usual),
            reasons=LazyReasons(lambda row: _reason(found[row]), range(len(found))),
            contributions={"fast_market": np.ones(len(at))},
            features={
                **features_of(found),
                "fast_low": found["fast_low"],
                "fast_high": found["fast_high"],
                "fast_pace": found["fast_pace"],
                "fast_move": found["fast_move"],
            },
            join_s=self._join_s[batch.slot[at]],
            span_s=found["fast_s"] + LOOKS_BACK_S,
            is_running_total=True,
        )


def _reason(row: Record) -> str:
    if row["fast_pace"] <= 1.0:
        return (
            f"fast market: within {span_text(float(row['fast_s']))} the price has moved "
            f"{distance_text(float(row['fast_high']), float(row['fast_low']))} from its lowest to its "
            f"highest, {_times(row['fast_move'])} the usual range, and trades stay there"
        )
    return (
        f"fast market: for {span_text(float(row['fast_s']))} trades have come up to "
        f"{_times(row['fast_pace'])} as fast as usual at this time of the day, and the price has moved "
        f"{distance_text(float(row['fast_high']), float(row['fast_low']))} from its lowest to its highest, "
        f"{_times(row['fast_move'])} the usual range"
    )


def _times(factor: float) -> str:
    return f"{factor:,.0f} times" if factor >= 100.0 else f"{factor:,.2g} times"


@njit(cache=True)
def start_market(s: Record, p: Record, event_ns: int, price: float) -> None:
    """Put the priors into a fresh record at the session's first trade."""
    s.sampled_ns = event_ns
    s.usual_count = PACE_PRIOR * p.usual_s
    s.usual_range = RANGE_PRIOR * sqrt(s.variance) / max(abs(price), 1e-9)


@njit(cache=True)
def measure_market(s: Record, p: Record, event_ns: int, size: float, step: float, out: Record) -> None:
    """Count a trade, note the price once a second, and tell whether the market is fast."""
    apart_ns = event_ns - s.sampled_ns
    if apart_ns >= SECOND_NS:
        _sample(s, p, event_ns, apart_ns * 1e-9, step)
    elif apart_ns < 0:
        s.sampled_ns = event_ns
        s.sample_count = 0
    mean = 0.5 * (s.mean200 + s.mean1000)  # small prints make no market fast
    s.second_trades += min(size / mean, 1.0)
    if 0 < s.close_ns - event_ns <= p.before_close_s * SECOND_NS:
        out.busy_join_s = p.close_join_s
    elif s.is_busy:
        out.busy_join_s = p.busy_join_s
    if s.is_fast:
        _tell(s, event_ns, s.range, out)


@njit(cache=True)
def _tell(s: Record, event_ns: int, present_range: float, out: Record) -> None:
    out.fast_pace = s.fast_pace
    out.fast_move = s.fast_move
    out.fast_range = present_range
    out.fast_start = s.fast_start
    out.fast_low = s.fast_low
    out.fast_high = s.fast_high
    out.fast_s = max(event_ns - s.fast_ns, 0) * 1e-9


@njit(cache=True)
def measure_level(s: Record, p: Record, event_ns: int, price: float, out: Record) -> None:
    """Follow a price that was flagged: the trades after it confirm its level, or are back at the old one."""
    is_flagged = out.price_evidence >= ALERT
    if s.level_ns > event_ns or event_ns - s.level_ns > p.join_s * SECOND_NS:
        s.level_ns = 0
    if s.level_ns == 0:
        start = out.high if out.distance > 0.0 else out.low
        if is_flagged and event_ns - s.first_ns >= p.learning_s * SECOND_NS:
            _begin_level(s, event_ns, start, price)
        return
    way = s.level - s.level_from
    gone = price - s.level_from
    if abs(gone) > ANOTHER_SCALE * abs(s.level_from):
        return
    if gone * way < 0.5 * way * way:
        s.level_prints -= BACK
        if s.level_prints < 0:
            s.level_ns = 0
        return
    if is_flagged and abs(gone) > abs(way):
        s.level = price
        s.level_prints = s.level_changes = 0
        return
    s.level_prints += 1
    s.level_changes += price != s.last_price
    if (
        s.level_prints < p.confirm_trades
        or s.level_changes < LEAST_CHANGES
        or event_ns - s.level_ns < p.confirm_s * SECOND_NS
    ):
        return
    is_new = _has_ended(s, p, event_ns)
    if abs(way) >= p.jump * abs(price) or not is_new:
        activity = usual_activity(s.open_ns, s.close_ns, event_ns)
        pace = s.pace_count / p.pace_s / max(s.usual_count / p.usual_s * activity, 1e-9)
        move = abs(way) / abs(price) / sqrt(activity) / max(s.usual_range, 1e-9)
        if is_new:
            _begin_market(s, s.level_ns, s.level_from)
        lowest, highest = min(s.level_from, s.level), max(s.level_from, s.level)
        _add_to_market(s, event_ns, lowest, highest, max(pace, 1e-9), move)
        _tell(s, event_ns, abs(way), out)
    s.level_ns = 0


@njit(cache=True)
def _begin_level(s: Record, event_ns: int, start: float, price: float) -> None:
    if abs(price - start) > ANOTHER_SCALE * abs(start):
        return
    s.level_ns = event_ns
    s.level_from = start
    s.level = price
    s.level_prints = s.level_changes = 0


@njit(cache=True)
def _sample(s: Record, p: Record, event_ns: int, apart_s: float, step: float) -> None:
    """Note the price before this trade, and compare the range and the pace with the usual ones."""
    price = s.last_price
    if s.priced > 2:
        price = median3(
            s.prices[(s.priced - 1) & (PRICES - 1)],
            s.prices[(s.priced - 2) & (PRICES - 1)],
            s.prices[(s.priced - 3) & (PRICES - 1)],
        )
    if s.sample_count > 0:
        before = s.sample_price[(s.sample_count - 1) & (SAMPLES - 1)]
        if abs(price - before) > ANOTHER_SCALE * abs(before):
            s.sample_count = 0
            s.is_fast = 0
            s.fast_ns = 0
    s.sample_price[s.sample_count & (SAMPLES - 1)] = price
    s.sample_ns[s.sample_count & (SAMPLES - 1)] = s.last_ns
    s.sample_count += 1
    lowest = highest = later = first = price
    largest, jump_ns = 0.0, event_ns
    for back in range(2, min(s.sample_count, SAMPLES) + 1):
        at = (s.sample_count - back) & (SAMPLES - 1)
        if event_ns - s.sample_ns[at] > p.range_s * SECOND_NS:
            break
        first = s.sample_price[at]
        lowest = min(lowest, first)
        highest = max(highest, first)
        if abs(later - first) > largest:
            largest = abs(later - first)
            jump_ns = s.sample_ns[at]
        later = first
    s.range = highest - lowest

    activity = usual_activity(s.open_ns, s.close_ns, event_ns)
    usual_pace = s.usual_count / p.usual_s * activity
    counted = min(s.second_trades, max(COUNTED * usual_pace, p.most_of_second))
    s.pace_count = exp(-apart_s / p.pace_s) * (s.pace_count + counted)
    s.heavy_count = exp(-apart_s / p.heavy_s) * (s.heavy_count + counted)
    slow = exp(-apart_s / p.usual_s)
    rate = s.pace_count / p.pace_s
    s.is_busy = 1 if rate >= p.busy_pace * s.usual_count / p.usual_s else 0
    pace = rate / max(usual_pace, 1e-9)
    share = s.range / max(abs(price), 1e-9) / sqrt(activity)
    least = step / max(abs(price), 1e-9)  # a price that stands still has a range of its step
    s.usual_range = max(s.usual_range, least)
    move = share / s.usual_range
    s.usual_now = s.usual_range * sqrt(activity)
    s.usual_count = slow * s.usual_count + min(s.second_trades, LEARNT * usual_pace + 0.5) / activity
    s.usual_range += (min(share, LEARNT * s.usual_range) - s.usual_range) * (1.0 - slow)
    s.second_trades = 0
    s.sampled_ns = event_ns

    to_close_ns = s.close_ns - event_ns
    heavy = s.heavy_count / p.heavy_s / max(usual_pace, 1e-9)
    is_heavy = (
        heavy >= p.heavy_pace
        and s.heavy_count >= p.heavy_trades
        and 0 < to_close_ns <= p.before_close_s * SECOND_NS
    )
    needed = p.still if s.is_fast else 1.0
    is_fast = is_heavy or (
        pace >= needed * p.least_pace
        and move >= needed * p.least_range
        and s.range >= needed * max(p.least_move * abs(price), p.least_steps * step)
        and (s.is_fast or largest <= p.most_at_once * s.range)
        and s.pace_count >= needed * p.least_trades
    )
    stays = abs(price - first) >= p.most_at_once * s.range and event_ns - jump_ns >= p.stays_s * SECOND_NS
    if stays and s.range >= p.jump * abs(price) and move >= p.least_range:
        is_fast = is_fast or (pace >= p.least_pace and s.pace_count >= 0.5 * p.least_trades)
    is_fast = is_fast and event_ns - s.first_ns >= p.learning_s * SECOND_NS
    s.is_fast = 1 if is_fast else 0
    if not is_fast:
        return
    if _has_ended(s, p, event_ns):
        _begin_market(s, event_ns, first)
    _add_to_market(s, event_ns, lowest, highest, pace, move)


@njit(cache=True)
def _has_ended(s: Record, p: Record, event_ns: int) -> bool:
    """Tell whether what is fast now is another market than the last one, or the first."""
    return bool(s.fast_ns == 0 or event_ns - s.fast_last_ns > p.join_s * SECOND_NS)


@njit(cache=True)
def _begin_market(s: Record, event_ns: int, start: float) -> None:
    s.fast_ns = event_ns
    s.fast_start = s.fast_low = s.fast_high = start
    s.fast_pace = s.fast_move = 0.0


@njit(cache=True)
def _add_to_market(s: Record, event_ns: int, lowest: float, highest: float, pace: float, move: float) -> None:
    s.fast_last_ns = event_ns
    s.fast_low = min(s.fast_low, lowest)
    s.fast_high = max(s.fast_high, highest)
    s.fast_pace = max(s.fast_pace, pace)
    s.fast_move = max(s.fast_move, move)


@njit(cache=True)
def is_small_distance(s: Record, p: Record, event_ns: int, distance: float) -> bool:
    """Tell whether a price is no farther off than this market moves in so short a time."""
    since_s = max(event_ns - s.second_last_ns, 0) * 1e-9 + p.reaction_s
    moves = p.small_distance * s.range * sqrt(min(since_s / p.range_s, 1.0))
    if s.is_busy:
        moves = max(moves, min(p.small_move * s.range, p.least_move * abs(s.last_price)))
    return bool(abs(distance) <= max(moves, p.small_share * abs(s.last_price)))


@njit(cache=True)
def is_small_burst(s: Record, p: Record, moved: float, step: float) -> bool:
    """Tell whether a burst moves the price little for what it did lately anyway, or does usually."""
    price = abs(s.last_price)
    moves = p.small_move * max(s.range, s.usual_now * price)
    return bool(abs(moved) <= max(moves, p.small_share * price, 1.001 * step))
