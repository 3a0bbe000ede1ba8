"""Repeated Feed: every print comes twice under new ids, for some time.

Equal prints are common. But where everything is repeated, equal prints come in even numbers only, and none
stands alone. So the prints of the last second are counted by price, size and side, and each count that is
complete speaks for or against it: a sequential test (Wald's likelihood ratio, as a cumulative sum that starts
again at 0) against the session's own share of even counts.
"""

from math import log

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

KEPT = 256
"""Distinct prints that are counted at once; a power of two. In more hectic moments the window is shorter."""

TABLE = 1024
"""Places of the hash table; a power of two."""

MOST = 2.5
"""Most evidence, in alerts; the sum goes no further either, so that it falls soon after the end."""


class RepeatedFeedParameters(PatternParameters):
    """Parameters of Repeated Feed."""

    join_s: float = Field(60.0, ge=0, description="longest pause within it")
    window_s: float = Field(1.0, gt=0, description="how soon a repeat comes")
    even_share: float = Field(0.97, gt=0, lt=1, description="share of even counts where all is repeated")
    least_evidence: float = Field(30.0, gt=0, description="logarithm of the likelihood ratio that flags")
    usual_counts: float = Field(2000.0, gt=1, description="counts that the usual share remembers")
    usual_prior: float = Field(0.35, gt=0, lt=1, description="prior of the usual share of even counts")


class RepeatedFeed(PatternDetector):
    """Flags prints while all of them come in pairs."""

    name = "repeated_feed"
    parameters = RepeatedFeedParameters
    state = np.dtype(
        [
            ("hash", "i8", (KEPT,)),
            ("first_ns", "i8", (KEPT,)),
            ("count", "i4", (KEPT,)),
            ("places", "i2", (TABLE,)),
            ("head", "i8"),
            ("tail", "i8"),
            ("sum", "f8"),
            ("since", "i8"),
            ("even", "f8"),
            ("usual_even", "f8"),
        ],
        align=True,
    )
    measures = np.dtype([*MEASURES])

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; the values are shares of even counts."""
        _walk(states, parameters, *(batch.slot, batch.event_ns, batch.price, batch.size, batch.side), out)

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - others say it
        """See `PatternDetector`."""
        return (
            f"{row['value']:.0%} of the last {row['prints']:,} prints came in pairs of equal price, size and "
            f"side within a moment, where {row['expected']:.0%} usually do: a feed that is repeated?"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    side: np.ndarray,
    out: np.ndarray,
) -> None:
    bits = np.empty(2, np.float64)
    words = bits.view(np.uint64)
    for i in range(len(slots)):
        s = states[slots[i]]
        p = parameters[slots[i]]
        now = event_ns[i]
        if s.usual_even == 0.0:
            s.usual_even = s.even = p.usual_prior
        bits[0] = price[i]
        bits[1] = size[i]
        mixed = words[0] * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(29)) ^ words[1]) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(32)) ^ np.uint64(side[i])) * np.uint64(0x94D049BB133111EB)
        key = np.int64(mixed ^ (mixed >> np.uint64(31)))
        window_ns = p.window_s * SECOND_NS
        while s.tail < s.head and (
            now - s.first_ns[s.tail & (KEPT - 1)] > window_ns or s.head - s.tail == KEPT
        ):
            _complete(s, p)
        place = key & (TABLE - 1)
        row = s.places[place] - 1
        if row < 0 or s.hash[row] != key or s.count[row] == 0:
            row = s.head & (KEPT - 1)
            s.hash[row] = key
            s.first_ns[row] = now
            s.count[row] = 0
            s.places[place] = row + 1
            s.head += 1
        s.count[row] += 1
        s.since = s.since + 1 if s.sum > 0.0 else 0
        if s.sum >= p.least_evidence:
            o = out[i]
            o.evidence = ALERT * s.sum / p.least_evidence
            o.value = s.even
            o.expected = s.usual_even
            o.threshold = p.even_share
            o.prints = s.since


@njit(cache=True)
def _complete(s: Record, p: Record) -> None:
    """Take the oldest count as complete."""
    row = s.tail & (KEPT - 1)
    is_even = s.count[row] % 2 == 0
    # More than two equal prints are an order's fills, where an even number says little.
    weight = 1.0 if s.count[row] <= 2 else 0.3
    usual = min(max(s.usual_even, 0.05), 0.95)
    if is_even:
        s.sum += weight * max(log(p.even_share / usual), 0.0)
    else:
        s.sum += log((1.0 - p.even_share) / (1.0 - usual))
    s.sum = min(max(s.sum, 0.0), MOST * p.least_evidence)
    s.even += ((1.0 if is_even else 0.0) - s.even) / 50.0
    if s.sum < 0.3 * p.least_evidence:
        s.usual_even += ((1.0 if is_even else 0.0) - s.usual_even) / p.usual_counts
    s.count[row] = 0
    s.tail += 1
