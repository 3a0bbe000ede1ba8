"""Burst: many trades at distinct times within a moment that move the price.

Trades that share one time are one large order meeting many small ones, which is natural and frequent; a
malfunctioning program trades again and again, and moves the price. The tail is fitted on the greatest value
of each cluster of trades, so that a flurry counts as one; an episode flags once, and again only when it
grows.
"""

from math import log

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.explain import contributions_of, features_of, once_in
from services.detector.detectors.core.state import BURST, BURST_TIMES, PRICES, SECOND_NS
from services.detector.detectors.core.tail import (
    ALERT,
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


class BurstParameters(
    TailParameters,
    tail_probability=0.03,
    threshold_prior=3.0,
    excess_scale_prior=0.8,
    excess_scale_floor=0.4,
    prior_trades=1000.0,
    prior_excesses=40.0,
    memory=3000.0,
    excesses=100.0,
    alert_rarity=4.15,
    evidence_offset=1.0,
    evidence_slope=1.0,
):
    """Parameters of Burst."""

    window_s: float = Field(0.05, gt=0, description="how far back a burst is looked for")
    unit: float = Field(
        0.7e-4, ge=0, description="unit of drift as a share of the price, where a tick is less"
    )
    least_times: int = Field(6, ge=3, description="fewest distinct times of a burst")
    episode_s: float = Field(1.0, ge=0, description="how long an episode lasts after its last flag")
    reflag_growth: float = Field(
        1.0, ge=0, description="growth of rarity (decades) at which an episode flags again"
    )
    clusters: float = Field(0.3, gt=0, lt=1, description="prior of clusters for each trade")


class Burst(TailDetector):
    """Flags trades at many distinct times within a moment that move the price, once per episode."""

    name = "burst"
    parameters = BurstParameters
    part = BURST
    evidence = "burst_evidence"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are intensities; expected is 0, no burst."""
        at, found = self._alerts(batch)
        return Flags(
            at=at,
            score=score_of(found["burst_evidence"]),
            value=found["burst_value"],
            expected=np.zeros(len(at)),
            threshold=found["burst_threshold"],
            reasons=[
                f"{row['burst_trades']:,.0f} trades at {row['burst_times']:,.0f} distinct times within a "
                f"moment moved the price by {row['burst_drift']:+.4g}; a burst this strong occurs "
                f"{once_in(row['burst_rarity'])}"
                for row in found
            ],
            contributions=contributions_of(found, BURST),
            features=features_of(found),
        )


@njit(cache=True)
def start_burst(s: Record, p: Record, event_ns: int) -> None:
    """Put the priors into a fresh record at the session's first trade."""
    s.cluster_start_ns = event_ns
    s.cluster_rate = p.clusters
    s.episode_ns = event_ns - 3600 * SECOND_NS
    start_tail(s.tails[BURST], p)


@njit(cache=True)
def set_burst_back(s: Record, now_ns: int) -> None:
    """Forget the times that are later than now."""
    mask = BURST_TIMES - 1
    while s.burst_head > s.burst_tail and s.burst_ns[(s.burst_head - 1) & mask] > now_ns:
        s.burst_head -= 1
    if s.burst_head == s.burst_tail and s.burst_head > 0:
        s.burst_ns[(s.burst_head - 1) & mask] = -1  # an older time, which left the window
    s.cluster_start_ns = min(s.cluster_start_ns, now_ns)
    s.episode_ns = min(s.episode_ns, now_ns)


@njit(cache=True)
def measure_burst(s: Record, p: Record, event_ns: int, price: float, out: Record) -> None:
    """Measure the burst that a trade may belong to, and remember the trade."""
    mask = BURST_TIMES - 1
    window_ns = np.int64(p.window_s * SECOND_NS)
    s.path += abs(price - s.last_price)
    if s.burst_head == 0 or s.burst_ns[(s.burst_head - 1) & mask] != event_ns:
        k = s.burst_head & mask
        s.burst_ns[k] = event_ns
        s.burst_price[k] = price
        s.burst_trade[k] = s.priced
        s.burst_path[k] = s.path
        s.burst_head += 1
        if s.burst_head - s.burst_tail > BURST_TIMES:
            s.burst_tail = s.burst_head - BURST_TIMES
    while s.burst_ns[s.burst_tail & mask] < event_ns - window_ns:
        s.burst_tail += 1
    times = s.burst_head - s.burst_tail
    k = s.burst_tail & mask
    trades = s.priced - s.burst_trade[k] + 1
    first = s.burst_price[k]
    last = price
    if times >= p.least_times:  # medians, so that one bad print is no drift
        first = median3(first, s.burst_price[(k + 1) & mask], s.burst_price[(k + 2) & mask])
        last = median3(
            price, s.prices[(s.priced - 1) & (PRICES - 1)], s.prices[(s.priced - 2) & (PRICES - 1)]
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
    if s.priced > 0 and (event_ns - s.last_ns > window_ns or event_ns - s.cluster_start_ns > SECOND_NS):
        learn(tail, s.cluster_max, value_at(tail, p.alert_rarity + per_trade, p), p)
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
    if rarity >= p.alert_rarity:
        if event_ns - s.episode_ns < p.episode_s * SECOND_NS and rarity < s.episode_rarity + p.reflag_growth:
            evidence = 0.99 * ALERT
        else:
            s.episode_rarity = rarity
        s.episode_ns = event_ns
    out.burst_evidence = evidence
    out.burst_rarity = rarity
    out.burst_threshold = value_at(tail, p.alert_rarity + per_trade, p)
    out.burst_value = value
    out.burst_times = times
    out.burst_trades = trades
    out.burst_drift = drift
