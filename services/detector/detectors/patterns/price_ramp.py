"""Price Ramp: within minutes the price goes one way by more than the trading explains, step by step.

Prices are compared every few seconds. What a move of so many prints usually is, is learnt from the session:
the variance of the price for each print. News moves prices more, but with many prints, or at once. What
takes a jump back, as after a halt, is no ramp.
"""

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import distance_text, span_text
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.core.tail import ALERT, median3
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import PRICE_ELIGIBLE, Batch
from services.detector.engine.record import Record

MEDIUM = 1.375 * ALERT
"""A ramp is never `low`: natural ones are rare."""

SAMPLES = 64
"""The last so many samples of the price are kept."""

STATE = np.dtype(
    [
        ("sampled_ns", "i8"),
        ("samples", "i8"),
        ("prints", "i8"),
        ("price", "f8", (3,)),
        ("variance", "f8"),
        ("sample_ns", "i8", (SAMPLES,)),
        ("sample_price", "f8", (SAMPLES,)),
        ("sample_prints", "i8", (SAMPLES,)),
        ("jump_ns", "i8"),
        ("jump", "f8"),
        ("jump_from", "f8"),
        ("is_ramp", "i8"),
        ("ratio", "f8"),
        ("from_ns", "i8"),
        ("from_price", "f8"),
        ("from_prints", "i8"),
    ]
)
"""Rings of the time, the price and the number of prints at the last samples; `variance` of the log price for
each print; the time and the log move of the last jump, and the price before it; the ramp that the last sample
is part of."""

_MEASURES = np.dtype([*MEASURES, ("move", "f8"), ("from_price", "f8"), ("span_s", "f8")])


class PriceRampParameters(PatternParameters):
    """Parameters of `PriceRamp`."""

    sample_s: float = Field(10.0, gt=0, description="time between two samples of the price")
    least_s: float = Field(90.0, gt=0, description="least time that it has lasted")
    most_s: float = Field(600.0, gt=0, description="longest time that is looked back")
    least_ratio: float = Field(0.006, gt=0, description="least move, as a share of the price")
    usual_moves: float = Field(
        4.0, gt=0, description="least move, in standard deviations of what so many prints usually move it"
    )
    most_at_once: float = Field(
        0.35, gt=0, le=1, description="largest share of the move between two samples: more is a jump"
    )
    most_of_third: float = Field(
        0.75, gt=0, le=1, description="the same within a third of its time: more is news, or a gap"
    )
    news_s: float = Field(60.0, ge=0, description="that third is at least so long")
    take_back_s: float = Field(
        1800.0, ge=0, description="how long after a jump a move back to the price before it is no ramp"
    )
    least_prints: float = Field(50.0, gt=0, description="least prints of the ramp")
    learning_samples: float = Field(20.0, ge=2, description="samples before a session is judged")
    usual_samples: float = Field(180.0, gt=1, description="samples in which the usual variance fades")
    join_s: float = Field(
        120.0, gt=0, description="a flag so soon after the last one is part of the same anomaly"
    )


class PriceRamp(PatternDetector):
    """Flags the prints of a ramp while it runs."""

    name = "price_ramp"
    parameters = PriceRampParameters
    state = STATE
    measures = _MEASURES

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`."""
        _walk(states, parameters, batch.slot, batch.event_ns, batch.price, batch.eligible, out)

    def reason(self, row: Record, price: float) -> str:
        """See `PatternDetector`."""
        way = "up" if row["move"] > 0 else "down"
        return (
            f"price ramp: {way} by {distance_text(price, row['from_price'])} in {span_text(row['span_s'])}, "
            f"step by step, {row['value']:,.2g} times the usual move of so many prints"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slot: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    eligible: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slot)):
        if eligible[i] & PRICE_ELIGIBLE == 0 or price[i] <= 0.0:
            continue
        s = states[slot[i]]
        p = parameters[slot[i]]
        now_ns = event_ns[i]
        apart_ns = now_ns - s.sampled_ns
        if s.sampled_ns == 0 or apart_ns < 0 or apart_ns >= p.sample_s * SECOND_NS:
            if s.prints > 0:
                _sample(s, p)
            s.sampled_ns = now_ns
        s.prints += 1
        s.price[0] = s.price[1]
        s.price[1] = s.price[2]
        s.price[2] = price[i]
        if s.is_ramp == 0:
            continue
        move = np.log(price[i] / s.from_price)
        if move * s.is_ramp < 0.8 * p.least_ratio or move * s.is_ramp > 0.2:
            continue
        row = out[i]
        row.evidence = MEDIUM + 8.0 * np.log10(s.ratio)
        row.value = s.ratio * p.usual_moves
        row.expected = 1.0
        row.threshold = p.usual_moves
        row.prints = s.prints - s.from_prints
        row.move = move
        row.from_price = s.from_price
        row.span_s = max(now_ns - s.from_ns, 0) / SECOND_NS


@njit(cache=True)
def _sample(s: Record, p: Record) -> None:
    """Take a sample of the price before this print, and look back for a ramp."""
    price = median3(s.price[0], s.price[1], s.price[2]) if s.samples > 0 else s.price[2]
    at = s.samples % SAMPLES
    last = (s.samples - 1) % SAMPLES
    s.sample_ns[at] = s.sampled_ns
    s.sample_price[at] = price
    s.sample_prints[at] = s.prints
    s.samples += 1
    s.is_ramp = 0
    if s.samples < 2 or price <= 0.0:
        return
    step = np.log(price / s.sample_price[last])
    prints = max(s.prints - s.sample_prints[last], 1)
    known = s.variance
    one = step * step / prints
    if s.samples > 10:
        one = min(one, 9.0 * known)
    s.variance += (one - known) * max(1.0 / s.samples, 1.0 / p.usual_samples)
    _remember_jump(s, p, step)
    if s.samples <= p.learning_samples:
        return
    most_step = abs(step)
    best = 1.0
    # A price that stood still has no variance: the least move is never more than twice what is usual.
    least_deviation = 0.5 * p.least_ratio / p.usual_moves
    for back in range(1, min(s.samples - 1, SAMPLES - 1) + 1):
        then = (s.samples - 1 - back) % SAMPLES
        span_s = (s.sampled_ns - s.sample_ns[then]) / SECOND_NS
        if span_s > p.most_s or s.sample_price[then] <= 0.0:
            break
        following = (then + 1) % SAMPLES
        most_step = max(most_step, abs(np.log(s.sample_price[following] / s.sample_price[then])))
        move = np.log(price / s.sample_price[then])
        prints = s.prints - s.sample_prints[then]
        if (
            span_s < p.least_s
            or abs(move) < p.least_ratio
            or most_step > p.most_at_once * abs(move)
            or prints < p.least_prints
        ):
            continue
        ratio = abs(move) / np.sqrt(known * prints + least_deviation**2) / p.usual_moves
        if ratio < best or _takes_back(s, p, then, price, move):
            continue
        if _largest_of_third(s, p, back) <= p.most_of_third * abs(move):
            best = ratio
            s.is_ramp = 1 if move > 0.0 else -1
            s.ratio = ratio
            s.from_ns = s.sample_ns[then]
            s.from_price = s.sample_price[then]
            s.from_prints = s.sample_prints[then]


@njit(cache=True)
def _remember_jump(s: Record, p: Record, step: float) -> None:
    """Remember the largest jump of late; one that is taken back at once was bad prints."""
    last = (s.samples - 2) % SAMPLES
    age_s = (s.sampled_ns - s.jump_ns) / SECOND_NS
    if not 0.0 <= age_s < p.take_back_s:
        s.jump = 0.0
    if step * s.jump < 0.0 and abs(step) >= 0.8 * abs(s.jump):
        s.jump = 0.0
    elif abs(step) >= max(p.least_ratio, abs(s.jump)):
        s.jump_ns = s.sample_ns[last]
        s.jump = step
        s.jump_from = s.sample_price[last]


@njit(cache=True)
def _takes_back(s: Record, p: Record, then: int, price: float, move: float) -> bool:
    """Return whether a move since a sample goes back to where the price jumped from, and hardly further."""
    if move * s.jump >= 0.0 or s.sample_ns[then] < s.jump_ns:
        return False
    beyond = np.log(price / s.jump_from) * (1.0 if move > 0.0 else -1.0)
    return beyond < p.least_ratio


@njit(cache=True)
def _largest_of_third(s: Record, p: Record, back: int) -> float:
    """Return the largest move within a third of the time since so many samples ago, the same way as all.

    The third is at least `news_s`.
    """
    newest = s.samples - 1
    oldest = newest - back
    span_ns = s.sample_ns[newest % SAMPLES] - s.sample_ns[oldest % SAMPLES]
    third_ns = max(span_ns // 3, np.int64(p.news_s * SECOND_NS))
    way = 1.0 if s.sample_price[newest % SAMPLES] > s.sample_price[oldest % SAMPLES] else -1.0
    largest = 0.0
    begin = oldest
    for end in range(oldest + 1, newest + 1):
        # A sample's price is of the last print before the next sample.
        while begin < end and s.sample_ns[end % SAMPLES] - s.sample_ns[(begin + 1) % SAMPLES] > third_ns:
            begin += 1
        move = way * np.log(s.sample_price[end % SAMPLES] / s.sample_price[begin % SAMPLES])
        largest = max(largest, move)
    return largest
