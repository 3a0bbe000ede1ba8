"""Stuck Clock: hundreds of prints at one time stamp that cannot be one order.

All fills of one order share a stamp, and hundreds of them are natural; but they have one side, and the price
moves one way. Prints of many orders turn: the side changes, the price goes to and fro. A coarse clock turns
within each of its stamps, so they are compared with the session's own.
"""

from math import exp, log2

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import span_text
from services.detector.detectors.core.state import HIDDEN, SECOND_NS
from services.detector.detectors.core.tail import ALERT, JUST_LOW
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import PRICE_ELIGIBLE, Batch
from services.detector.engine.record import Record

MOST = 2.5 * ALERT
"""Most evidence; less than `sure_s`' worth of prints may be a moment in which many orders have come."""


class StuckClockParameters(PatternParameters):
    """Parameters of Stuck Clock."""

    join_s: float = Field(
        600.0, ge=0, description="how far the next stamp may be to belong to it, and what it explains"
    )
    least_turns: float = Field(20.0, gt=0, description="turns at one stamp, at least")
    usual_turns: float = Field(4.0, gt=0, description="the same, in the most turns of late at one stamp")
    stamps: float = Field(2000.0, gt=1, description="stamps that the most turns are remembered for")
    least_s: float = Field(5.0, gt=0, description="how long so many prints take at the usual rate, at least")
    sure_s: float = Field(45.0, gt=0, description="the same, from which it is more than `low`")
    rate_s: float = Field(120.0, gt=0, description="time that the usual rate remembers")


class StuckClock(PatternDetector):
    """Flags prints at a time stamp that stands still."""

    name = "stuck_clock"
    parameters = StuckClockParameters
    state = np.dtype(
        [
            ("now_ns", "i8"),
            ("prints", "i8"),
            ("turns", "f8"),
            ("most_turns", "f8"),
            ("weight", "f8"),
            ("side", "i8"),
            ("direction", "f8"),
            ("last_price", "f8"),
        ]
    )
    measures = np.dtype([*MEASURES, ("usual_s", "f8")])

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; all values are turns at one stamp."""
        _walk(states, parameters, *(batch.slot, batch.event_ns, batch.price, batch.side, batch.eligible), out)

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - others say it
        """See `PatternDetector`."""
        return (
            f"{row['prints']:,} prints with {row['value']:,.0f} turns of side and price have one time stamp, "
            f"as many as usually come in {span_text(row['usual_s'])}: a clock that stands still?"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    side: np.ndarray,
    eligible: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slots)):
        s = states[slots[i]]
        p = parameters[slots[i]]
        now = event_ns[i]
        if now != s.now_ns:
            s.most_turns += (0.0 - s.most_turns) / p.stamps
            s.most_turns = max(
                s.most_turns, min(s.turns, max(2.0 * s.most_turns, p.least_turns / p.usual_turns))
            )
            # Prints of the last `rate_s` seconds; those of one stamp count as ten seconds at most.
            usual = max(s.weight / p.rate_s, 1e-6)
            gap_s = max((now - s.now_ns) / SECOND_NS, 0.0)
            s.weight = (s.weight + min(float(s.prints), 10.0 + 10.0 * usual)) * exp(-gap_s / p.rate_s)
            s.now_ns = now
            s.prints = 0
            s.turns = 0.0
            s.side = HIDDEN
            s.direction = 0.0
        s.prints += 1
        if side[i] != HIDDEN:
            if s.side != HIDDEN and side[i] != s.side:
                s.turns += 1.0
            s.side = side[i]
        if eligible[i] & PRICE_ELIGIBLE != 0:
            moved = price[i] - s.last_price
            if s.prints > 1 and moved != 0.0:
                if moved * s.direction < 0.0:
                    s.turns += 1.0
                s.direction = moved
            s.last_price = price[i]
        limit = max(p.least_turns, p.usual_turns * s.most_turns)
        usual_s = s.prints / max(s.weight / p.rate_s, 1e-6)
        if s.turns >= limit and usual_s >= p.least_s:
            o = out[i]
            o.evidence = min(ALERT + log2(s.turns / limit), MOST if usual_s >= p.sure_s else JUST_LOW)
            o.value = s.turns
            o.expected = s.most_turns
            o.threshold = limit
            o.prints = s.prints
            o.usual_s = min(usual_s, 86_400.0)
