"""Stuck Price: trades go on, and the price stands still for much longer than it does in this session.

Prints of one moment are one order at one price, so moments count: a run of them that the usual share of
changes makes impossible, and several times as long as the longest of late.
"""

from math import log2

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import span_text
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import JOIN, MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import PRICE_ELIGIBLE, Batch
from services.detector.engine.record import Record

MOST = 2.25 * ALERT
"""Most evidence."""


class StuckPriceParameters(PatternParameters):
    """Parameters of Stuck Price."""

    join_s: float = Field(600.0, ge=0, description="longest pause within it")
    explained_s: float = Field(1.0, ge=0, description="how long it explains off-market prices after it")
    least_s: float = Field(45.0, gt=0, description="shortest time that a price stands still")
    least_changes: float = Field(12.0, gt=0, description="changes that usually come in so many moments")
    longest_runs: float = Field(2.5, gt=0, description="shortest run, in the longest runs of late")
    moment_s: float = Field(0.1, gt=0, description="prints so close together are one moment")
    moments: float = Field(3000.0, gt=1, description="moments that are remembered")
    least_moments: int = Field(50, ge=1, description="moments seen before a run is judged")


class StuckPrice(PatternDetector):
    """Flags prints at a price that stands still."""

    name = "stuck_price"
    parameters = StuckPriceParameters
    state = np.dtype(
        [
            ("moments", "i8"),
            ("moment_ns", "i8"),
            ("since_ns", "i8"),
            ("last_price", "f8"),
            ("run_moments", "f8"),
            ("run_prints", "i8"),
            ("changes", "f8"),
            ("longest_s", "f8"),
            ("longest_moments", "f8"),
            ("is_stuck", "i8"),
        ]
    )
    measures = np.dtype([*MEASURES, (JOIN, "f8"), ("stuck_price", "f8"), ("expected_changes", "f8")])

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; value and threshold are seconds, expected is the longest time of late."""
        _walk(states, parameters, *(batch.slot, batch.event_ns, batch.price, batch.eligible), out)

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - others say it
        """See `PatternDetector`."""
        return (
            f"the price stood at {row['stuck_price']:,.10g} for {span_text(row['value'])} and "
            f"{row['prints']:,} trades, in which it usually changes {row['expected_changes']:,.0f} times: "
            "a price that is stuck?"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    eligible: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slots)):
        if eligible[i] & PRICE_ELIGIBLE == 0:
            continue
        s = states[slots[i]]
        p = parameters[slots[i]]
        now = event_ns[i]
        if s.moments == 0 or now < s.since_ns:
            s.since_ns = s.moment_ns = now
        since_s = (now - s.moment_ns) / SECOND_NS
        is_moment = s.moments == 0 or since_s >= p.moment_s or since_s < 0.0
        held_s = (now - s.since_ns) / SECOND_NS
        limit_s = max(p.least_s, p.longest_runs * s.longest_s)
        if is_moment:
            s.moment_ns = now
            s.moments += 1
            s.run_moments += 1.0
        is_same = s.moments > 1 and price[i] == s.last_price
        expected = s.run_moments * s.changes
        if is_same:
            s.run_prints += 1
            s.is_stuck = (
                held_s >= limit_s
                and expected >= p.least_changes
                and s.run_moments >= p.longest_runs * s.longest_moments
                and s.moments >= p.least_moments + s.run_moments
            )
        if s.is_stuck:  # or was, until this print: it belongs to the stretch, and ends it
            o = out[i]
            o.evidence = min(ALERT + log2(held_s / limit_s) + log2(expected / p.least_changes), MOST)
            o.value = held_s
            o.expected = s.longest_s
            o.threshold = limit_s
            o.prints = s.run_prints
            o.stuck_price = s.last_price
            o.expected_changes = expected
            o.join_s = p.join_s if is_same else p.explained_s
        if is_same:
            continue
        # The run is over: it is a change in so many moments. One long run hardly hides the next.
        learnt = min(s.run_moments, max(2.0 * s.longest_moments, 5.0))
        if learnt > 0.0:
            memory = min(p.moments, s.moments + 20.0)
            s.changes += (1.0 - s.changes) / memory
            s.changes += (0.0 - s.changes) * min((learnt - 1.0) / memory, 0.5)
        kept = 1.0 - min(learnt / p.moments, 0.5)
        s.longest_s = max(s.longest_s * kept, min(held_s, max(2.0 * s.longest_s, p.least_s / 4.0)))
        s.longest_moments = max(s.longest_moments * kept, learnt)
        s.since_ns = now
        s.last_price = price[i]
        s.run_prints = 1
        s.run_moments = 0.0
        s.is_stuck = False
