"""Column Change: what a session's columns are like changes at once and stays changed.

For faults of a feed that nobody has listed. One print of each moment is looked at, as the fills of one order
are alike. What prints have or have not (a side, a size of whole hundreds, a stamp at a whole millisecond, …)
has a usual share. A fault of a column gives it to nearly all prints, or takes it from nearly all: for each,
the likelihood ratio of that against the usual share is summed up, and the sum starts again at 0 (Page's
CUSUM). It has to be beyond what chance explains, several times the largest of late, and must have grown over
many moments and some time. What traders bring about in part, as orders of one size or flow of one side, has
to be in nearly all prints; what only a feed does, in most of them, or in some, as one of several venues is
enough. A venue that is missing is told in regular hours, since venues close at other times. The hours before,
between and after the auctions differ, so each begins to learn again.
"""

from math import log, log2

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.core.state import BUY, HIDDEN, SECOND_NS, SELL
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import (
    CALENDAR,
    MEASURES,
    PatternDetector,
    PatternParameters,
)
from services.detector.engine.batch import PRICE_ELIGIBLE, VOLUME_ELIGIBLE, Batch
from services.detector.engine.record import Record

EACH, ALL, MOST, PART, HALF, NO = log(1e-6), log(0.01), log(0.1), log(0.3), log(0.55), 0.0
"""Which part of the prints may still be as before after a change, as a logarithm: none, hardly one, a few, a
third, half, or all, which makes it no change."""

VENUES_KEPT = 8
"""The first so many venues of a session that are seen since the last auction are looked at."""

MOST_EVIDENCE = 1.45 * ALERT
"""It is `medium` at most, and sure: what names the fault itself says more."""

COLUMNS = (
    ("sides", "without a side", ALL, ALL),
    ("sides", "sells", EACH, NO),
    ("sides", "buys", EACH, NO),
    ("sides and prices", "of the price's moves are by the side that moves it so", ALL, HALF),
    ("sizes", "whole hundreds", ALL, NO),
    ("sizes", "whole tens", ALL, NO),
    ("sizes", "repeated", ALL, NO),
    ("sizes", "whole numbers", ALL, MOST),
    ("sizes", "more than sixteen times the usual one", EACH, NO),
    ("sizes", "less than a sixteenth of the usual one", EACH, NO),
    ("time stamps", "at whole seconds", PART, MOST),
    ("time stamps", "at whole hundredths of a second", MOST, MOST),
    ("time stamps", "at whole milliseconds", MOST, MOST),
    ("time stamps", "at whole microseconds", MOST, MOST),
    ("time stamps", "later than their receipt", MOST, MOST),
    ("time stamps", "earlier than the last one", PART, MOST),
    ("times of receipt", "much later than usual", PART, MOST),
    ("times of receipt", "known", MOST, MOST),
    ("prices", "moves by multiples of 1", ALL, NO),
    ("prices", "moves by multiples of 0.1", ALL, NO),
    ("prices", "moves by multiples of 0.05", ALL, NO),
    ("prices", "moves by multiples of 0.02", ALL, NO),
    ("prices", "moves by more than four times the usual", ALL, NO),
    ("prices", "multiples of 0.01", ALL, MOST),
    ("prices", "multiples of 0.0001", ALL, MOST),
    ("conditions", "that set prices", ALL, ALL),
    *[("venues", "from one of several", NO, ALL)] * VENUES_KEPT,
)
"""What is looked at: the column, what a share of its prints has, and how many prints may be as before if all
the others have it, and if none has. What traders bring about in part has to be in nearly all prints, and how
they change their sizes for long is no fault."""

COUNT = len(COLUMNS)
LEFT = np.array([left for column in COLUMNS for left in column[2:]])
"""By test: two for each column, that all prints have it, and that none has."""
SIZES, LARGE, SMALL, STAMPS, AHEAD, BACK, LATE = 4, 8, 9, 10, 14, 15, 16
MOVES, FAR, LEVELS, CONDITIONS, VENUES = 18, 22, 23, 25, 26
BY_TRADERS = np.array([column == "sizes" or share in ("sells", "buys") for column, share, *_ in COLUMNS])
UNITS_NS = np.array([SECOND_NS, 10_000_000, 1_000_000, 1_000])
MOVE_GRIDS = np.array([1.0, 10.0, 20.0, 50.0])
"""Of the moves from print to print: so many to one. A price that stands still at a round one has none."""
LEVEL_GRIDS = np.array([100.0, 10_000.0])

TOLD = np.concatenate([np.arange(0, 2 * COUNT, 2), np.arange(1, 2 * COUNT, 2)])
"""The tests, in the order in which one is told of several as clear: of each share that it is all, or none."""

TIDY = 0.5
"""If that share of the prices is usually a multiple of a unit, that all are may be for want of trades at the
middle of the spread: unusual, but hardly a fault."""

TIDY_EVIDENCE = 1.02 * ALERT
"""Evidence of that: whatever else is found says more."""

RARE = 0.005
"""A usual share is taken as this at least; few prints do not show that something never comes."""

BLOCK = 50
"""Moments after which the usual shares are taken again."""

MUCH = 2.25
"""Most evidence, in alerts, and most of a sum, in its limits, so that it falls soon after the end."""

KEPT = 0.995
"""What a block leaves of the largest sum so far."""

LEAD_MOVES, MOST_LEAD = 50.0, 0.4
"""While of so many of the last moves one side leads by such a share, its moves go both ways: flow of one
side, which traders bring about. The other side's still tell whether sides and prices fit."""

USUAL_MOMENTS = 500
"""Moments that the usual size, move and delay remember."""


class ColumnChangeParameters(PatternParameters):
    """Parameters of Column Change."""

    join_s: float = Field(300.0, ge=0, description="longest pause within it")
    moment_s: float = Field(0.01, ge=0, description="prints so close together are one moment")
    moments: float = Field(2000.0, gt=1, description="moments that a usual share remembers")
    learn_moments: int = Field(200, ge=1, description="moments seen before a change is judged")
    least_share: float = Field(
        0.05, gt=0, lt=1, description="usual share of what has to be lost for it to be a change"
    )
    least_evidence: float = Field(40.0, gt=0, description="logarithm of the likelihood ratio that flags")
    longest_runs: float = Field(2.5, ge=1, description="the same, in the largest of late")
    least_moments: int = Field(30, ge=1, description="moments that a change has lasted for")
    least_s: float = Field(20.0, ge=0, description="and time")
    traders_s: float = Field(
        120.0, ge=0, description="time for what traders can bring about as well: sizes, and one side"
    )
    delay: float = Field(8.0, gt=1, description="a receipt is much later, in usual delays")
    least_delay_s: float = Field(0.005, ge=0, description="and by that time beyond the usual")
    accept_s: float = Field(600.0, ge=0, description="time after which a change is usual")


class ColumnChange(PatternDetector):
    """Flags prints while a column is not like before."""

    name = "column_change"
    parameters = ColumnChangeParameters
    state = np.dtype(
        [
            ("moment_ns", "i8"),
            ("all", "i8"),
            ("moments", "i8"),
            ("last_size", "f8"),
            ("last_price", "f8"),
            ("last_stamp_ns", "i8"),
            ("venues", "i8"),
            ("venue", "i8", (VENUES_KEPT,)),
            ("usual_size", "f8"),
            ("usual_delay", "f8"),
            ("usual_move", "f8"),
            ("lead", "f8"),
            ("test", "i8"),
            ("is_near", "i8"),
            ("usual", "f8", (COUNT,)),
            ("seen", "f8", (COUNT,)),
            ("block_hits", "i8", (COUNT,)),
            ("block_trials", "i8", (COUNT,)),
            ("gain", "f8", (2 * COUNT,)),
            ("sum", "f8", (2 * COUNT,)),
            ("largest", "f8", (2 * COUNT,)),
            ("peak", "f8", (2 * COUNT,)),
            ("since_ns", "i8", (2 * COUNT,)),
            ("since_print", "i8", (2 * COUNT,)),
            ("since_moment", "i8", (2 * COUNT,)),
            ("hits", "i8", (2 * COUNT,)),
            ("trials", "i8", (2 * COUNT,)),
            *((name, "i8") for name in CALENDAR),
        ]
    )
    measures = np.dtype([*MEASURES, ("column", "f8")])

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; the values are shares, the threshold is one that says nothing."""
        _walk(
            states,
            parameters,
            *(batch.slot, batch.event_ns, batch.stamp_ns, batch.recv_ns, batch.price, batch.size, batch.side),
            *(batch.eligible, batch.lane),
            out,
        )

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - others say it
        """See `PatternDetector`."""
        column, share, *_ = COLUMNS[int(row["column"])]
        return (
            f"{column}: {row['expected']:.0%} {share} before, {row['value']:.0%} "
            f"for the last {row['prints']:,} prints"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    stamp_ns: np.ndarray,
    recv_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    side: np.ndarray,
    eligible: np.ndarray,
    lane: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slots)):
        s = states[slots[i]]
        p = parameters[slots[i]]
        now = event_ns[i]
        for border in (s.open_ns, s.close_ns):
            if s.moment_ns < border <= now:
                _begin(s)
        s.all += 1
        step_ns = stamp_ns[i] - s.last_stamp_ns
        if s.last_stamp_ns != 0 and abs(step_ns) >= p.moment_s * SECOND_NS:
            _take(s, p, BACK, step_ns < 0, now)
        s.last_stamp_ns = stamp_ns[i]
        since_ns = now - s.moment_ns
        is_priced = eligible[i] & PRICE_ELIGIBLE != 0
        if since_ns >= p.moment_s * SECOND_NS or since_ns < 0:
            s.moment_ns = now
            s.moments += 1
            if is_priced and s.last_price != 0.0:
                _take_price(s, p, now, price[i], side[i])
            if eligible[i] & VOLUME_ELIGIBLE != 0:
                _take_size(s, p, now, size[i], side[i])
            _take_stamps(s, p, now, stamp_ns[i], recv_ns[i])
            _take(s, p, CONDITIONS, is_priced, now)
            if s.open_ns <= now < s.close_ns or s.close_ns == 0:
                _take_venue(s, p, now, lane[i])
            if s.moments % BLOCK == 0:
                _learn(s, p)
            if s.is_near:
                _judge(s, p, now)
        if is_priced:
            s.last_price = price[i]
        if s.test > 0:
            _tell(s, p, out[i])


@njit(cache=True)
def _begin(s: Record) -> None:
    """Forget what was usual."""
    s.moments = s.test = s.is_near = s.venues = 0
    s.lead = 0.0
    s.seen[:] = 0.0
    s.block_hits[:] = 0
    s.block_trials[:] = 0
    s.gain[:] = 0.0
    s.sum[:] = 0.0
    s.largest[:] = 0.0


@njit(cache=True)
def _take_price(s: Record, p: Record, now: int, price: float, side: int) -> None:
    """Take a price that differs from the last one: one that stands still says nothing of the others."""
    move = price - s.last_price
    if move == 0.0:
        return
    if side != HIDDEN:
        way = 1.0 if side == BUY else -1.0
        s.lead += (way - s.lead) / LEAD_MOVES
        if way * s.lead < MOST_LEAD:
            _take(s, p, 3, way * move > 0.0, now)
    for j in range(len(MOVE_GRIDS)):
        _take(s, p, MOVES + j, _is_whole(move * MOVE_GRIDS[j]), now)
    doublings = log2(abs(move))
    if s.seen[MOVES] > 0.0:
        _take(s, p, FAR, doublings > s.usual_move + 2.0, now)
    if not _is_open(s, p, FAR):
        s.usual_move += (doublings - s.usual_move) / min(s.seen[MOVES] + 1.0, USUAL_MOMENTS)
    for j in range(len(LEVEL_GRIDS)):
        _take(s, p, LEVELS + j, _is_whole(price * LEVEL_GRIDS[j]), now)


@njit(cache=True)
def _is_whole(steps: float) -> bool:
    return bool(abs(steps - round(steps)) < 1e-6 * max(1.0, abs(steps) * 1e-6))


@njit(cache=True)
def _take_size(s: Record, p: Record, now: int, size: float, side: int) -> None:
    _take(s, p, 0, side == HIDDEN, now)
    _take(s, p, 1, side == SELL, now)
    _take(s, p, 2, side == BUY, now)
    _take(s, p, SIZES, size % 100.0 == 0.0, now)
    _take(s, p, SIZES + 1, size % 10.0 == 0.0, now)
    _take(s, p, SIZES + 2, size == s.last_size, now)
    _take(s, p, SIZES + 3, size % 1.0 == 0.0, now)
    doublings = log2(max(size, 1e-9))
    if s.moments > BLOCK:
        _take(s, p, LARGE, doublings > s.usual_size + 4.0, now)
        _take(s, p, SMALL, doublings < s.usual_size - 4.0, now)
    if not (_is_open(s, p, LARGE) or _is_open(s, p, SMALL)):
        s.usual_size += (doublings - s.usual_size) / min(s.moments, USUAL_MOMENTS)
    s.last_size = size


@njit(cache=True)
def _take_stamps(s: Record, p: Record, now: int, stamp: int, received: int) -> None:
    for j in range(len(UNITS_NS)):
        _take(s, p, STAMPS + j, stamp % UNITS_NS[j] == 0, now)
    _take(s, p, LATE + 1, received != 0, now)
    if received == 0:
        return
    delay = received - stamp
    _take(s, p, AHEAD, delay < 0, now)
    if s.moments > BLOCK:
        usual = 2.0**s.usual_delay
        is_late = delay > max(p.delay * usual, usual + p.least_delay_s * SECOND_NS)
        _take(s, p, LATE, is_late, now)
    doublings = log2(max(delay, 1.0))
    if not _is_open(s, p, LATE):
        s.usual_delay += (doublings - s.usual_delay) / min(s.moments, USUAL_MOMENTS)


@njit(cache=True)
def _take_venue(s: Record, p: Record, now: int, venue: int) -> None:
    number = 0
    while number < s.venues and s.venue[number] != venue:
        number += 1
    if number == s.venues < VENUES_KEPT:
        s.venue[number] = venue
        s.venues += 1
    for j in range(s.venues):
        _take(s, p, VENUES + j, j == number, now)


@njit(cache=True)
def _is_open(s: Record, p: Record, column: int) -> bool:
    """Tell whether what is seen of a column may be a change, so that nothing is learnt from it."""
    return bool(max(s.sum[2 * column], s.sum[2 * column + 1]) >= 0.5 * p.least_evidence)


@njit(cache=True)
def _take(s: Record, p: Record, column: int, is_so: bool, now: int) -> None:
    """Take whether a moment's print has what a share is of."""
    s.block_trials[column] += 1
    s.block_hits[column] += is_so
    for which in range(2):
        t = 2 * column + which
        if s.gain[t] == 0.0:
            continue
        if is_so == (which == 0):
            if s.sum[t] == 0.0:
                s.since_ns[t] = now
                s.since_print[t] = s.all
                s.since_moment[t] = s.moments
                s.hits[t] = s.trials[t] = 0
                s.peak[t] = 0.0
            s.sum[t] = min(s.sum[t] + s.gain[t], MUCH * _limit(s, p, t))
            s.peak[t] = max(s.peak[t], s.sum[t])
            s.is_near |= s.sum[t] >= p.least_evidence
        elif s.sum[t] > 0.0:
            s.sum[t] += LEFT[t]
            if s.sum[t] <= 0.0:
                s.sum[t] = 0.0
                s.largest[t] = max(s.largest[t], min(s.peak[t], _limit(s, p, t)))
        s.trials[t] += 1
        s.hits[t] += is_so


@njit(cache=True)
def _limit(s: Record, p: Record, t: int) -> float:
    return float(max(p.least_evidence, p.longest_runs * s.largest[t]))


@njit(cache=True)
def _learn(s: Record, p: Record) -> None:
    """Take the usual shares again, of what shows no change, and what a print says against them."""
    for k in range(COUNT):
        trials = s.block_trials[k]
        if trials > 0 and not _is_open(s, p, k):
            s.seen[k] = min(s.seen[k] + trials, p.moments)
            s.usual[k] += (s.block_hits[k] - trials * s.usual[k]) / s.seen[k]
        s.block_trials[k] = s.block_hits[k] = 0
        for which in range(2):
            t = 2 * k + which
            usual = s.usual[k] if which == 0 else 1.0 - s.usual[k]
            s.largest[t] *= KEPT
            s.gain[t] = 0.0
            if s.seen[k] > 0.0 and s.moments >= p.learn_moments and usual <= 1.0 - p.least_share:
                usual = max(usual, RARE)
                s.gain[t] = log((1.0 - np.exp(LEFT[t]) * (1.0 - usual)) / usual)
            else:
                s.sum[t] = 0.0


@njit(cache=True)
def _judge(s: Record, p: Record, now: int) -> None:
    """Find the clearest change; begin to learn again after one that has lasted for long."""
    s.test = s.is_near = 0
    clearest = 0.0
    for t in TOLD:
        if s.sum[t] < p.least_evidence:
            continue
        s.is_near = 1
        k = t // 2
        s.since_ns[t] = min(s.since_ns[t], now)
        lasted_ns = now - s.since_ns[t]
        least_s = p.traders_s if BY_TRADERS[k] else p.least_s
        moments = s.moments - s.since_moment[t]
        clear = s.sum[t] / _limit(s, p, t)
        if clear < 1.0 or moments < p.least_moments or lasted_ns < least_s * SECOND_NS:
            continue
        if lasted_ns >= p.accept_s * SECOND_NS:
            _begin(s)
            return
        if clear > clearest:
            clearest = clear
            s.test = t + 1


@njit(cache=True)
def _tell(s: Record, p: Record, o: Record) -> None:
    t = s.test - 1
    k = t // 2
    bound = -LEFT[t] / (s.gain[t] - LEFT[t])  # at this share the sum neither grows nor falls
    is_tidier = t % 2 == 0 and k >= LEVELS and k < CONDITIONS and s.usual[k] >= TIDY
    o.evidence = min(ALERT * s.sum[t] / _limit(s, p, t), TIDY_EVIDENCE if is_tidier else MOST_EVIDENCE)
    o.value = s.hits[t] / max(s.trials[t], 1)
    o.expected = s.usual[k]
    o.threshold = bound if t % 2 == 0 else 1.0 - bound
    o.prints = s.all - s.since_print[t] + 1
    o.column = k
