"""How much of a burst is under way: distinct times within the window, together with the drift of the price.

Trades that share one time are one large order meeting many small ones, natural and frequent; a machine gone
wild trades again and again, and moves the price. The tail is that of the greatest value of each cluster of
trades, so that a flurry counts as one; an episode flags once, and again only when it grows.
"""

from math import log

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.core.state import BURST, BURST_TIMES, PRICES, SECOND_NS
from services.detector.detectors.core.tail import (
    ALERT,
    LN10,
    Alert,
    Beta,
    BetaLeast,
    Credence,
    Excesses,
    Gain,
    Level,
    Memory,
    PriorExcesses,
    PriorTrades,
    TailParameters,
    U,
    evidence_of,
    learn,
    median3,
    rarity_of,
    start_tail,
    value_at,
)


class BurstParameters(TailParameters):
    """Of the detector Burst."""

    window_s: float = Field(0.05, gt=0, description="how far back a burst is looked for")
    unit: float = Field(
        0.7e-4, ge=0, description="unit of drift as a share of the price, where a tick is less"
    )
    least_times: int = Field(6, ge=3, description="fewest distinct times of a burst")
    episode_s: float = Field(1.0, ge=0, description="how long an episode lasts after its last flag")
    regrow: float = Field(1.0, ge=0, description="decades by which an episode must grow to flag again")
    clusters: float = Field(0.3, gt=0, lt=1, description="prior of clusters for each trade")
    level: Level = 0.03
    u: U = 3.0
    beta: Beta = 0.8
    beta_least: BetaLeast = 0.4
    prior_trades: PriorTrades = 1000.0
    prior_excesses: PriorExcesses = 40.0
    memory: Memory = 3000.0
    excesses: Excesses = 100.0
    alert: Alert = 4.15
    credence: Credence = 1.0
    gain: Gain = 1.0


@njit(cache=True)
def start_burst(s: np.void, p: np.void, event_ns: int) -> None:
    """Put the priors into a fresh record at the session's first trade."""
    s.cluster_start_ns = event_ns
    s.cluster_rate = p.clusters
    s.episode_ns = event_ns - 3600 * SECOND_NS
    start_tail(s.tails[BURST], p)


@njit(cache=True)
def measure_burst(s: np.void, p: np.void, event_ns: int, price: float, out: np.void) -> None:
    """Measure the burst that a trade may belong to, and remember the trade."""
    mask = BURST_TIMES - 1
    window_ns = np.int64(p.window_s * SECOND_NS)
    s.path += abs(price - s.last_price)
    if s.burst_head == 0 or s.burst_ns[(s.burst_head - 1) & mask] != event_ns:
        k = s.burst_head & mask
        s.burst_ns[k] = event_ns
        s.burst_price[k] = price
        s.burst_trade[k] = s.trades
        s.burst_path[k] = s.path
        s.burst_head += 1
        if s.burst_head - s.burst_tail > BURST_TIMES:
            s.burst_tail = s.burst_head - BURST_TIMES
    while s.burst_ns[s.burst_tail & mask] < event_ns - window_ns:
        s.burst_tail += 1
    times = s.burst_head - s.burst_tail
    k = s.burst_tail & mask
    trades = s.trades - s.burst_trade[k] + 1
    first = s.burst_price[k]
    last = price
    if times >= p.least_times:  # medians, so that one bad print is no drift
        first = median3(first, s.burst_price[(k + 1) & mask], s.burst_price[(k + 2) & mask])
        last = median3(
            price, s.prices[(s.trades - 1) & (PRICES - 1)], s.prices[(s.trades - 2) & (PRICES - 1)]
        )
    drift = last - first
    moved = abs(drift)
    unit = max(s.tick, p.unit * price)
    walked = max(s.path - s.burst_path[k], moved)
    value = (
        0.56
        + 1.5 * log(float(times))
        - 0.5 * log(float(trades))
        + 0.8 * log(moved / unit + 0.5)
        + 0.4 * log((moved + unit) / (walked + unit))
    )

    tail = s.tails[BURST]
    per_trade = log(s.cluster_rate) / LN10
    if s.trades > 0 and (event_ns - s.last_ns > window_ns or event_ns - s.cluster_start_ns > SECOND_NS):
        learn(tail, s.cluster_max, value_at(tail, p.alert + per_trade, p), p)
        s.cluster_max = 0.0
        s.cluster_start_ns = event_ns
        s.cluster_rate += (1.0 - s.cluster_rate) / 5000.0
    else:
        s.cluster_rate -= s.cluster_rate / 5000.0
    s.cluster_max = max(s.cluster_max, value)
    per_trade = log(s.cluster_rate) / LN10
    rarity = 0.0
    if times >= p.least_times:
        rarity = max(0.0, rarity_of(tail, value, p) - per_trade)
    evidence = evidence_of(rarity, p)
    if rarity >= p.alert:
        if event_ns - s.episode_ns < p.episode_s * SECOND_NS and rarity < s.episode_rarity + p.regrow:
            evidence = 0.99 * ALERT
        else:
            s.episode_rarity = rarity
        s.episode_ns = event_ns
    out.burst_evidence = evidence
    out.burst_rarity = rarity
    out.burst_threshold = value_at(tail, p.alert + per_trade, p)
    out.burst_value = value
    out.burst_times = times
    out.burst_trades = trades
    out.burst_drift = drift
