"""Clock Ahead: a print whose time stamp is minutes ahead of the tape.

Where it is known when a print was received, a stamp later than that is wrong at once. Else the next print
shows it, whose stamp goes back: it carries the anomaly, or joins the silence that the wrong stamp
seemed to end.
"""

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

MOST = 2.5 * ALERT
"""Most evidence."""


class ClockAheadParameters(PatternParameters):
    """Parameters of Clock Ahead."""

    join_s: float = Field(5.0, ge=0, description="time from one such stamp to the next of the same anomaly")
    least_s: float = Field(10.0, gt=0, description="how far ahead a stamp is, at least")
    usual_leads: float = Field(
        20.0, gt=0, description="how far it is ahead of when it was received, in usual distances"
    )


class ClockAhead(PatternDetector):
    """Flags prints with a stamp ahead of the tape, or the first one after them."""

    name = "clock_ahead"
    parameters = ClockAheadParameters
    state = np.dtype(
        [
            ("last_ns", "i8"),
            ("from_ns", "i8"),
            ("jump_ns", "i8"),
            ("prints", "i8"),
            ("usual_lead_s", "f8"),
            ("received", "i8"),
        ]
    )
    measures = np.dtype([*MEASURES, ("is_received", "f8")])

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; value and threshold are seconds."""
        _walk(states, parameters, *(batch.slot, batch.event_ns, batch.stamp_ns, batch.recv_ns), out)

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - others say it
        """See `PatternDetector`."""
        ahead = span_text(row["value"])
        if row["is_received"]:
            return f"the time stamp is {ahead} after the print was received: a clock that is ahead?"
        count = row["prints"]
        return (
            f"the {'stamp of the print' if count == 1 else f'stamps of {count:,} prints'} up to here "
            f"{'was' if count == 1 else 'were'} {ahead} ahead of the tape: a clock that is ahead?"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    stamp_ns: np.ndarray,
    recv_ns: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slots)):
        s = states[slots[i]]
        p = parameters[slots[i]]
        now = event_ns[i]
        least_ns = p.least_s * SECOND_NS
        o = out[i]
        if recv_ns[i] > 0:
            # Clocks of a source and of a receiver may differ by a constant.
            lead_s = (stamp_ns[i] - recv_ns[i]) / SECOND_NS
            if s.received == 0:
                s.usual_lead_s = lead_s
            limit_s = max(p.least_s, p.usual_leads * abs(s.usual_lead_s))
            if lead_s - s.usual_lead_s >= limit_s:
                o.is_received = 1.0
                _say(o, lead_s, s.usual_lead_s, s.usual_lead_s + limit_s, 1)
            else:
                s.usual_lead_s += (max(lead_s, s.usual_lead_s - limit_s) - s.usual_lead_s) / min(
                    s.received + 1.0, 100.0
                )
                s.received += 1
        if s.last_ns == 0:
            s.last_ns = now
        if now - s.last_ns >= least_ns:
            s.from_ns = s.last_ns
            # One received after its stamp was not ahead; then what follows with an older stamp is late.
            s.jump_ns = now if recv_ns[i] == 0 or o.evidence > 0.0 else 0
            s.prints = 0
        # Back to where the tape was before it jumped: the prints from then on were ahead.
        elif s.jump_ns > 0 and s.last_ns - now >= least_ns and now >= s.from_ns - SECOND_NS:
            if o.evidence == 0.0:
                _say(o, (s.jump_ns - now) / SECOND_NS, 0.0, p.least_s, s.prints)
            s.jump_ns = 0
        s.prints += 1
        s.last_ns = now


@njit(cache=True)
def _say(o: Record, ahead_s: float, expected_s: float, threshold_s: float, prints: int) -> None:
    ratio = (ahead_s - expected_s) / (threshold_s - expected_s)
    o.evidence = min(ALERT + log2(max(ratio, 1.0)), MOST)
    o.value = ahead_s
    o.expected = expected_s
    o.threshold = threshold_s
    o.prints = prints
