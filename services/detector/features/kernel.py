"""The compiled walk over a batch that measures each trade for all features, and remembers it."""

from math import log, nan, sqrt

import numpy as np
from numba import njit

from services.detector.engine.batch import BAR, PRICE_ELIGIBLE, SIDE_CODES, VOLUME_ELIGIBLE
from services.detector.engine.record import Record
from services.detector.features.state import (
    BARS,
    ENVELOPE_SHARE,
    HORIZONS,
    LEAST_PAST,
    LONGEST,
    PARTS,
    PARTS_KEPT,
    PAST_WINDOWS,
    TRADES_BACK,
    TRADES_KEPT,
    WINDOWS,
)

DAY_NS = 86_400_000_000_000
SELL, BUY = SIDE_CODES["A"], SIDE_CODES["B"]
_HORIZON_NS = tuple(HORIZONS.values())
_LAST = TRADES_KEPT - 1
_LAST_PART = PARTS_KEPT - 1


@njit(cache=True)
def measure(
    states: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    side: np.ndarray,
    eligible: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    moments: np.ndarray,
) -> None:
    """Measure trades in order, and remember each in its session's record.

    Parameters
    ----------
    states
        `state.STATE` by slot; updated.
    slots, event_ns, price, size, side, eligible
        As in `Batch`, shape (n,).
    high, low
        As in `Batch`, shape (n,).
    moments
        `state.MOMENT`, shape (n,), nowhere a number; filled.
    """
    for i in range(len(slots)):
        s = states[slots[i]]
        out = moments[i]
        now_ns = event_ns[i]
        measure_time(s, now_ns, out)
        if eligible[i] & BAR:
            measure_bar(s, price[i], size[i], high[i], low[i], out)
            continue
        is_priced = eligible[i] & PRICE_ELIGIBLE != 0
        is_sized = eligible[i] & VOLUME_ELIGIBLE != 0
        if not is_priced and not is_sized:
            continue
        measure_gap(s, now_ns, out)
        if is_priced:
            measure_price(s, price[i], out)
        if is_sized:
            measure_size(s, size[i], side[i], out)
        measure_horizons(s, now_ns, out)
        if is_priced:
            remember_price(s, price[i], size[i] if is_sized else 0.0)
        if is_sized:
            s.size[s.sized & _LAST] = size[i]
            s.side[s.sized & _LAST] = side[i]
            s.sized += 1


@njit(cache=True)
def measure_time(s: Record, now_ns: int, out: Record) -> None:
    """Measure the time of the day."""
    out.clock_s = (now_ns - s.midnight_ns) % DAY_NS * 1e-9
    if s.open_ns > 0:
        out.open_s = (now_ns - s.open_ns) * 1e-9
        out.close_s = (s.close_ns - now_ns) * 1e-9


@njit(cache=True)
def measure_gap(s: Record, now_ns: int, out: Record) -> None:
    """Measure and remember the time since the trade before; 0 if that one was later."""
    if s.trades > 0:
        out.gap_s = max(now_ns - s.last_ns, 0) * 1e-9
    s.time_ties = s.time_ties + 1 if s.trades > 0 and now_ns == s.last_ns else 0
    out.time_ties = s.time_ties
    s.last_ns = now_ns
    s.trades += 1


@njit(cache=True)
def measure_price(s: Record, x: float, out: Record) -> None:
    """Measure a price against those before it, and count runs."""
    out.price = x
    out.log_price = log(x) if x > 0.0 else nan
    for k in range(len(TRADES_BACK)):
        if s.priced >= TRADES_BACK[k]:
            out.log_back[k] = s.log_price[(s.priced - TRADES_BACK[k]) & _LAST]
    back = 1
    returns = pairs = 0
    squares = total = products = weight = worth = 0.0
    newer = nan
    lowest = highest = s.price[(s.priced - 1) & _LAST]
    for k in range(len(WINDOWS)):
        while back <= min(s.priced, WINDOWS[k]):
            at = (s.priced - back) & _LAST
            lowest = min(lowest, s.price[at])
            highest = max(highest, s.price[at])
            weight += s.weight[at]
            worth += s.weight[at] * s.price[at]
            if back < s.priced:
                one = s.log_price[at] - s.log_price[(at - 1) & _LAST]
                if one == one:
                    returns += 1
                    total += one
                    squares += one * one
                    if newer == newer:
                        pairs += 1
                        products += one * newer
                newer = one
            back += 1
        out.returns[k] = returns
        out.total[k] = total
        out.squares[k] = squares
        out.pairs[k] = pairs
        out.products[k] = products
        out.weight[k] = weight
        out.worth[k] = worth
        if s.priced > 0:
            out.low[k] = lowest
            out.high[k] = highest
    out.session_weight = s.session_weight
    out.session_worth = s.session_worth
    kept = min(s.priced, LONGEST)
    if kept > 0:
        beyond = int(kept * ENVELOPE_SHARE)
        out.middle = s.sorted[kept // 2]
        out.envelope_low = s.sorted[beyond]
        out.envelope_high = s.sorted[kept - 1 - beyond]
        before = s.price[(s.priced - 1) & _LAST]
        if x > before:
            s.tick_run = max(s.tick_run, 0) + 1
        elif x < before:
            s.tick_run = min(s.tick_run, 0) - 1
        s.price_ties = s.price_ties + 1 if x == before else 0
    out.tick_run = s.tick_run
    out.price_ties = s.price_ties


@njit(cache=True)
def remember_price(s: Record, x: float, weight: float) -> None:
    """Remember a price and how many shares traded at it."""
    kept = min(s.priced, LONGEST)
    if kept == LONGEST:
        oldest = np.searchsorted(s.sorted, s.price[(s.priced - LONGEST) & _LAST])
        kept -= 1
        for j in range(oldest, kept):
            s.sorted[j] = s.sorted[j + 1]
    place = kept
    while place > 0 and s.sorted[place - 1] > x:
        s.sorted[place] = s.sorted[place - 1]
        place -= 1
    s.sorted[place] = x
    at = s.priced & _LAST
    s.price[at] = x
    s.log_price[at] = log(x) if x > 0.0 else nan
    s.weight[at] = weight
    s.session_weight += weight
    s.session_worth += weight * x
    s.priced += 1


@njit(cache=True)
def measure_size(s: Record, z: float, side: int, out: Record) -> None:
    """Measure a size and a side against those before them; count the shares and the run of the side."""
    out.size = z
    base = s.size[(s.sized - 1) & _LAST]
    out.size_base = base
    back = 1
    beyond = squares = bought = sold = 0.0
    for k in range(len(WINDOWS)):
        while back <= min(s.sized, WINDOWS[k]):
            at = (s.sized - back) & _LAST
            one = s.size[at]
            beyond += one - base
            squares += (one - base) * (one - base)
            if s.side[at] == BUY:
                bought += one
            elif s.side[at] == SELL:
                sold += one
            back += 1
        out.sizes[k] = back - 1
        out.size_beyond[k] = beyond
        out.size_squares[k] = squares
        out.bought[k] = bought
        out.sold[k] = sold
    if side == BUY:
        s.side_run = max(s.side_run, 0) + 1
    elif side == SELL:
        s.side_run = min(s.side_run, 0) - 1
    else:
        s.side_run = 0
    out.side_run = s.side_run


@njit(cache=True)
def measure_horizons(s: Record, now_ns: int, out: Record) -> None:
    """Measure the times before a trade, and count it there; `out` has its price and size."""
    z = out.size if out.size == out.size else 0.0
    s.total_shares += z
    for k in range(len(_HORIZON_NS)):
        part = now_ns // (_HORIZON_NS[k] // PARTS)
        if s.trades == 1 or part < s.part[k, (s.parts[k] - 1) & _LAST_PART]:
            # The first trade, or one after a wrong stamp
            s.parts[k] = 0
            s.near[k] = s.far[k] = -1
            s.base_trades[k] = s.trades - 1
            s.base_shares[k] = s.total_shares - z
            s.window[k] = now_ns // _HORIZON_NS[k]
            s.window_trades[k] = s.window_shares[k] = 0.0
            s.past[k] = 0
        if s.parts[k] == 0 or part > s.part[k, (s.parts[k] - 1) & _LAST_PART]:
            at = s.parts[k] & _LAST_PART
            s.part[k, at] = part
            s.part_price[k, at] = s.part_price[k, (at - 1) & _LAST_PART] if s.parts[k] > 0 else nan
            s.parts[k] += 1
        newest = s.parts[k] - 1
        at = newest & _LAST_PART
        if out.price == out.price:
            s.part_price[k, at] = out.log_price
        s.part_trades[k, at] = s.trades
        s.part_shares[k, at] = s.total_shares
        near, far = s.near[k], s.far[k]
        while near + 1 < newest and s.part[k, (near + 1) & _LAST_PART] < part - PARTS:
            near += 1
        while far + 1 < newest and s.part[k, (far + 1) & _LAST_PART] < part - 2 * PARTS:
            far += 1
        s.near[k], s.far[k] = near, far
        trades, shares = s.base_trades[k], s.base_shares[k]
        if near >= 0:
            trades = s.part_trades[k, near & _LAST_PART]
            shares = s.part_shares[k, near & _LAST_PART]
            out.log_ago[k] = s.part_price[k, near & _LAST_PART]
        out.near_trades[k] = s.trades - trades
        out.near_shares[k] = s.total_shares - shares
        if far >= 0:
            out.far_trades[k] = trades - s.part_trades[k, far & _LAST_PART]
            out.far_shares[k] = shares - s.part_shares[k, far & _LAST_PART]
        close_windows(s, k, now_ns // _HORIZON_NS[k])
        if s.past[k] >= LEAST_PAST:
            out.mean_trades[k] = s.mean_trades[k]
            out.deviation_trades[k] = s.deviation_trades[k]
            out.mean_shares[k] = s.mean_shares[k]
            out.deviation_shares[k] = s.deviation_shares[k]
        s.window_trades[k] += 1.0
        s.window_shares[k] += z


@njit(cache=True)
def close_windows(s: Record, k: int, window: int) -> None:
    """Put the whole horizons that are over, empty ones included, among the past ones."""
    over = window - s.window[k]
    if over <= 0:
        return
    for number in range(max(over - PAST_WINDOWS, 0), over):
        at = s.past[k] % PAST_WINDOWS
        s.past_trades[k, at] = s.window_trades[k] if number == 0 else 0.0
        s.past_shares[k, at] = s.window_shares[k] if number == 0 else 0.0
        s.past[k] += 1
    s.window[k] = window
    s.window_trades[k] = s.window_shares[k] = 0.0
    kept = min(s.past[k], PAST_WINDOWS)
    s.mean_trades[k], s.deviation_trades[k] = mean_and_deviation(s.past_trades[k], kept)
    s.mean_shares[k], s.deviation_shares[k] = mean_and_deviation(s.past_shares[k], kept)


@njit(cache=True)
def mean_and_deviation(values: np.ndarray, count: int) -> tuple[float, float]:
    """Return the mean of the first values and their standard deviation; there must be one at least."""
    base = values[0]  # sums of distances from it are exact where all values are equal
    beyond = 0.0
    for j in range(count):
        beyond += values[j] - base
    mean_beyond = beyond / count
    squares = 0.0
    for j in range(count):
        distance = values[j] - base - mean_beyond
        squares += distance * distance
    return base + mean_beyond, sqrt(squares / count)


@njit(cache=True)
def measure_bar(s: Record, close: float, volume: float, high: float, low: float, out: Record) -> None:
    """Measure a bar against the last ones, itself included, and remember it."""
    at = s.bars % BARS
    s.bar_log_close[s.bars % (BARS + 1)] = log(close) if close > 0.0 else nan
    s.bar_volume[at] = volume
    typical = (high + low + close) / 3.0
    s.bar_typical[at] = typical if typical == typical else close
    s.bars += 1
    kept = min(s.bars, BARS)
    returns = np.empty(BARS)
    taken = 0
    for back in range(min(s.bars - 1, BARS)):
        newer = s.bar_log_close[(s.bars - 1 - back) % (BARS + 1)]
        one = newer - s.bar_log_close[(s.bars - 2 - back) % (BARS + 1)]
        if back == 0:
            out.bar_return = one
        if one == one:
            returns[taken] = one
            taken += 1
    if taken > 1:
        out.bar_volatility = mean_and_deviation(returns, taken)[1]
    out.bar_volume = volume
    out.bar_mean_volume, out.bar_deviation_volume = mean_and_deviation(s.bar_volume, kept)
    out.bar_low = low
    out.bar_high = high
    out.bar_close = close
    weight = worth = 0.0
    for j in range(kept):
        weight += s.bar_volume[j]
        worth += s.bar_volume[j] * s.bar_typical[j]
    if weight > 0.0:
        out.bar_vwap = worth / weight
