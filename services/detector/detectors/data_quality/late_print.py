"""Late Print: a print with the time of some seconds ago, and a price that is off the present market."""

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import distance_text, span_text
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record


class LatePrintParameters(PatternParameters):
    """Parameters of Late Print."""

    join_s: float = Field(0.0, ge=0, description="time from one to the next of the same anomaly")
    least_s: float = Field(3.0, ge=0, description="how late a print is, at least")


class LatePrint(PatternDetector):
    """Flags off-market prices, as `off_market_price` measures them, of prints that come late."""

    name = "late_print"
    parameters = LatePrintParameters
    state = np.dtype([("last_ns", "i8"), ("second_last_ns", "i8")])
    measures = np.dtype([*MEASURES, ("low", "f8"), ("high", "f8"), ("late_s", "f8")])

    def __init__(self, context: DetectorContext) -> None:
        super().__init__(context)
        self._walk = context.walk  # so that batches have measures

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; value and threshold are prices, expected is the middle of recent ones."""
        measured = batch.measured()
        _walk(
            states,
            parameters,
            *(batch.slot, batch.event_ns, batch.stamp_ns, batch.price),
            measured["price_evidence"],
            measured["low"],
            measured["high"],
            out,
        )

    def reason(self, row: Record, price: float) -> str:
        """See `PatternDetector`."""
        is_above = price > row["high"]
        near = float(row["high"] if is_above else row["low"])
        return (
            f"price {price:,.10g} is {distance_text(price, near)} {'above' if is_above else 'below'} the "
            f"{row['low']:,.10g} to {row['high']:,.10g} of recent trades, and its time is "
            f"{span_text(row['late_s'])} before theirs"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    stamp_ns: np.ndarray,
    price: np.ndarray,
    evidence: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slots)):
        s = states[slots[i]]
        # The time before the last, which no single stamp can move.
        settled_ns = min(s.last_ns, s.second_last_ns)
        late_s = max(max(settled_ns, event_ns[i]) - stamp_ns[i], 0) / SECOND_NS
        if late_s >= parameters[slots[i]].least_s and evidence[i] >= ALERT:
            o = out[i]
            o.evidence = evidence[i]
            o.value = price[i]
            o.expected = 0.5 * (low[i] + high[i])
            o.threshold = high[i] if price[i] > high[i] else low[i]
            o.prints = 1
            o.low = low[i]
            o.high = high[i]
            o.late_s = late_s
        s.second_last_ns = s.last_ns
        s.last_ns = event_ns[i]
