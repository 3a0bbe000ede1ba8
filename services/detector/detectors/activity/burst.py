"""Burst: many trades within a moment that move the price further than it moves in such a moment.

Each trade is measured with those of the last `window_s`: how far they moved the price, against the
volatility over that time; how many they are, and at how many times; how straight the way was; and how many
trades are usual. The tail is fitted on the greatest value of each cluster of trades, so that a flurry counts
as one. It forgets slowly, so that a restless morning does not raise the bar for its own bursts. Each burst is
one anomaly that grows.
"""

from math import log, sqrt

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import span_text
from services.detector.detectors.base import Flags
from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.explain import contributions_of, features_of, once_in
from services.detector.detectors.core.pace import USUAL_S
from services.detector.detectors.core.state import BURST, BURST_TIMES, PRICES, SECOND_NS
from services.detector.detectors.core.tail import (
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

UNIT_SHARE = 0.2
"""Share of the unit that is added to the volatility, so that a calm price may move by a tick."""


class BurstParameters(
    TailParameters,
    tail_probability=0.03,
    threshold_prior=3.0,
    excess_scale_prior=0.45,
    excess_scale_floor=0.3,
    prior_trades=20000.0,
    prior_excesses=300.0,
    memory=60000.0,
    excesses=1000.0,
    alert_rarity=3.2,
    evidence_offset=0.3,
    evidence_slope=1.2,
    join_s=1.0,
):
    """Parameters of Burst."""

    window_s: float = Field(0.05, gt=0, description="how far back a burst is looked for")
    unit: float = Field(0.7e-4, ge=0, description="least unit of a move, as a share of the price")
    least_times: int = Field(3, ge=3, description="fewest distinct times of a burst")
    least_trades: int = Field(8, ge=3, description="fewest trades of a burst")
    most_move: float = Field(
        0.01, gt=0, description="move, as a share of the price, that is no burst if one print alone made half"
    )
    w_move: float = Field(1.0, ge=0, description="weight of the log move in volatilities of the window")
    w_trades: float = Field(0.2, ge=0, description="weight of the log number of trades")
    w_times: float = Field(0.12, ge=0, description="weight of the log number of distinct times")
    w_coarse: float = Field(
        0.5, ge=0, description="more weight of these times where a tick is far larger than the least unit"
    )
    w_path: float = Field(0.15, ge=0, description="weight of the log share of the move in all the way")
    w_small: float = Field(1.0, ge=0, description="weight of the log of a small move in `small_move`")
    small_move: float = Field(
        0.0005, gt=0, description="move, as a share of the price, that is small however calm the moment"
    )
    w_usual: float = Field(-0.17, le=0, description="weight of the log of the usual trades per second")
    origin: float = Field(1.4, description="added to the sum of these")
    doubt: float = Field(
        2.8, ge=0, description="decades of rarity that a burst lacks at a session's first trade"
    )
    doubt_trades: float = Field(1800.0, gt=0, description="trades after which a quarter of that is left")
    clusters: float = Field(0.3, gt=0, lt=1, description="prior of clusters for each trade")


class Burst(TailDetector):
    """Flags trades at many distinct times within a moment that move the price."""

    name = "burst"
    parameters = BurstParameters
    part = BURST
    evidence = "burst_evidence"

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value and threshold are intensities; expected is 0, no burst."""
        at, found = self._alerts(batch)
        unexpected = found["is_scheduled"] == 0
        at, found = at[unexpected], found[unexpected]
        return Flags(
            at=at,
            score=score_of(found["burst_evidence"]),
            value=found["burst_value"],
            expected=np.zeros(len(at)),
            threshold=found["burst_threshold"],
            reasons=[_reason(float(price), row) for price, row in zip(batch.price[at], found, strict=True)],
            contributions=contributions_of(found, BURST),
            features=features_of(found),
            join_s=self._join_s[batch.slot[at]],
            prints=found["burst_trades"].astype(np.int64),
        )


def _reason(price: float, row: Record) -> str:
    drift = float(row["burst_drift"])
    share = f" ({drift / abs(price):+.2%})" if abs(drift) < abs(price) else ""
    return (
        f"{row['burst_trades']:,.0f} trades in {span_text(float(row['burst_s']))} moved the price by "
        f"{drift:+.4g}{share}; a burst this strong occurs {once_in(row['burst_rarity'])}"
    )


@njit(cache=True)
def start_burst(s: Record, p: Record, event_ns: int) -> None:
    """Put the priors into a fresh record at the session's first trade."""
    s.cluster_start_ns = event_ns
    s.cluster_rate = p.clusters
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
    if (
        moved > p.most_move * abs(price)
        and s.bad_trade >= s.burst_trade[k]
        and abs(s.bad_distance) > 0.5 * moved
    ):
        moved = 0.0
    unit = max(s.tick, p.unit * abs(price))
    walked = max(s.path - s.burst_path[k], moved)
    small = max(p.small_move * abs(price), s.tick)
    usual_move = sqrt(s.variance * p.window_s) + UNIT_SHARE * unit
    # Where one tick is a large step, moves of many sizes look the same, and the times tell more.
    coarse = max(0.0, 1.0 - 2.0 * p.unit * abs(price) / s.tick)
    value = (
        p.origin
        + p.w_move * log(1.0 + moved / usual_move)
        + p.w_trades * log(float(trades))
        + (p.w_times + p.w_coarse * coarse) * log(float(times))
        + p.w_path * log((moved + unit) / (walked + unit))
        + p.w_small * log(min(max(moved, s.tick) / small, 1.0))
        + p.w_usual * log(s.usual_pace / USUAL_S + 0.05)
    )

    tail = s.tails[BURST]
    per_trade = log(s.cluster_rate) / LN10
    # A session that has few trades yet is judged by the priors, which other stocks gave.
    doubt = p.doubt * (p.doubt_trades / (s.priced + p.doubt_trades)) ** 2
    if s.priced > 0 and (event_ns - s.last_ns > window_ns or event_ns - s.cluster_start_ns > SECOND_NS):
        # What is not flagged is usual here.
        learn(tail, s.cluster_max, value_at(tail, p.alert_rarity + per_trade + doubt, p), p)
        s.cluster_max = 0.0
        s.cluster_start_ns = event_ns
        s.cluster_rate += (1.0 - s.cluster_rate) / 5000.0
    else:
        s.cluster_rate -= s.cluster_rate / 5000.0
    s.cluster_max = max(s.cluster_max, value)
    per_trade = log(s.cluster_rate) / LN10
    rarity = 0.0
    if times >= p.least_times and trades >= p.least_trades and moved > 0.0:
        rarity = max(0.0, rarity_of(tail, value, p) - per_trade - doubt)
    out.burst_evidence = evidence_of(rarity, p)
    out.burst_rarity = rarity
    out.burst_threshold = value_at(tail, p.alert_rarity + per_trade + doubt, p)
    out.burst_value = value
    out.burst_times = times
    out.burst_trades = trades
    out.burst_drift = drift
    out.burst_s = (event_ns - s.burst_ns[k]) * 1e-9
