"""Late Arrival: prints that were received much later after their time than usual, several in a row."""

from math import log2

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import span_text
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

MOST = 2.0 * ALERT
"""Most evidence."""


class LateArrivalParameters(PatternParameters):
    """Parameters of Late Arrival."""

    join_s: float = Field(120.0, ge=0, description="longest pause within it")
    least_s: float = Field(5.0, gt=0, description="shortest delay")
    usual_delays: float = Field(10.0, gt=0, description="shortest delay, in usual ones")
    least_prints: int = Field(5, ge=1, description="so delayed prints in a row")
    prints: float = Field(500.0, gt=1, description="prints that the usual delay remembers")


class LateArrival(PatternDetector):
    """Flags prints that arrive late."""

    name = "late_arrival"
    parameters = LateArrivalParameters
    state = np.dtype([("received", "i8"), ("usual_s", "f8"), ("run", "i8"), ("longest_s", "f8")])
    measures = np.dtype([*MEASURES, ("longest_s", "f8")])

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; all values are seconds."""
        _walk(states, parameters, *(batch.slot, batch.stamp_ns, batch.recv_ns), out)

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - others say it
        """See `PatternDetector`."""
        usual = "at once" if row["expected"] < 0.5 else f"{span_text(row['expected'])} after"
        return (
            f"{row['prints']:,} prints in a row were received up to {span_text(row['longest_s'])} after "
            f"their time, where they usually come {usual}"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slots: np.ndarray,
    stamp_ns: np.ndarray,
    recv_ns: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slots)):
        if recv_ns[i] <= 0:
            continue
        s = states[slots[i]]
        p = parameters[slots[i]]
        delay_s = (recv_ns[i] - stamp_ns[i]) / SECOND_NS
        if s.received == 0:
            s.usual_s = delay_s
        limit_s = max(p.least_s, p.usual_delays * abs(s.usual_s))
        if delay_s < limit_s:
            s.run = 0
            s.longest_s = 0.0
        else:
            s.run += 1
            s.longest_s = max(s.longest_s, delay_s)
            if s.run >= p.least_prints:
                o = out[i]
                o.evidence = min(ALERT + log2(s.longest_s / limit_s), MOST)
                o.value = delay_s
                o.expected = s.usual_s
                o.threshold = limit_s
                o.prints = s.run
                o.longest_s = s.longest_s
        # A delay that stays becomes the usual one, in time.
        memory = min(s.received + 1.0, p.prints)
        s.usual_s += (min(delay_s, limit_s) - s.usual_s) / (memory if s.run == 0 else 10.0 * p.prints)
        s.received += 1
