"""One-Sided Flow: for minutes nearly all aggressors are on one side."""

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import span_text
from services.detector.detectors.core.state import BUY, SECOND_NS, SELL
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

MOST = 0.9
"""Evidence beyond the alert if all are on one side: never more than `low`, as big orders are worked so."""

STATE = np.dtype(
    [
        ("counted_ns", "i8"),
        ("net", "f8"),
        ("all", "f8"),
        ("from_ns", "i8"),
        ("prints", "i8"),
        ("side", "i8"),
    ]
)
"""Decaying counts of times with a buyer less those with a seller, and of both; the stretch since either side
last had the lead."""

_MEASURES = np.dtype([*MEASURES, ("span_s", "f8"), ("is_buying", "i8")])


class OneSidedFlowParameters(PatternParameters):
    """Parameters of `OneSidedFlow`."""

    window_s: float = Field(75.0, gt=0, description="time in which counted prints fade")
    apart_s: float = Field(
        1.0,
        ge=0,
        description="prints so soon after a counted one are not, so that each moment counts as much",
    )
    least_s: float = Field(60.0, ge=0, description="it must have lasted so long")
    least_prints: float = Field(30.0, gt=0, description="least counted prints within the window")
    least_lead: float = Field(
        0.65, gt=0, lt=1, description="least lead of one side: the difference of the two shares"
    )
    join_s: float = Field(
        120.0, gt=0, description="a flag so soon after the last one is part of the same anomaly"
    )


class OneSidedFlow(PatternDetector):
    """Flags prints while one side has nearly all of the flow."""

    name = "one_sided_flow"
    parameters = OneSidedFlowParameters
    state = STATE
    measures = _MEASURES

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`."""
        _walk(states, parameters, batch.slot, batch.event_ns, batch.side, out)

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - any print of it says the same
        """See `PatternDetector`."""
        side = "buyers" if row["is_buying"] else "sellers"
        return (
            f"one-sided flow: {0.5 + 0.5 * row['value']:.0%} of the aggressors of the last "
            f"{span_text(row['span_s'])} were {side}"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slot: np.ndarray,
    event_ns: np.ndarray,
    side: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slot)):
        if side[i] != BUY and side[i] != SELL:
            continue
        s = states[slot[i]]
        p = parameters[slot[i]]
        s.prints += 1
        sign = 1.0 if side[i] == BUY else -1.0
        apart_ns = event_ns[i] - s.counted_ns
        if apart_ns < 0 or apart_ns >= p.apart_s * SECOND_NS:
            fade = np.exp(-max(apart_ns, 0) / SECOND_NS / p.window_s)
            s.net = s.net * fade + sign
            s.all = s.all * fade + 1.0
            s.counted_ns = event_ns[i]
            if s.net * s.side <= 0.0:
                s.side = np.int64(sign)
                s.from_ns = event_ns[i]
                s.prints = 1
        lead = s.net * s.side / s.all
        span_s = max(event_ns[i] - s.from_ns, 0) / SECOND_NS
        is_one = lead >= p.least_lead and s.all >= p.least_prints and span_s >= p.least_s
        if is_one and sign == s.side:
            row = out[i]
            row.evidence = ALERT + MOST * (lead - p.least_lead) / (1.0 - p.least_lead)
            row.value = lead
            row.threshold = p.least_lead
            row.prints = s.prints
            row.span_s = span_s
            row.is_buying = s.side > 0
