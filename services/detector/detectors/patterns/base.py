"""The base of detectors of patterns: stretches of prints, each of which may be ordinary by itself.

A pattern has a compiled walk of its own over a session's prints, with a record of bounded size. The walk
says of each print whether it belongs to a stretch of the pattern, and how clearly; the engine lets one
anomaly grow with the stretch. So a walk only measures: it needs no memory of what it has flagged.
"""

from abc import abstractmethod

import numpy as np

from services.detector.detectors.base import Detector, Flags, LazyReasons, StateStore
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.record import record_of, record_type
from services.detector.detectors.core.tail import ALERT, score_of
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.serialize import one_record
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.record import Record
from services.detector.engine.slots import grown

MEASURES = [("evidence", "f8"), ("value", "f8"), ("expected", "f8"), ("threshold", "f8"), ("prints", "i8")]
"""What every walk says of a print: `evidence` as of the calibrated detectors (`tail.ALERT` flags, three times
as much is critical), the detection's numbers, and how many prints the stretch has so far."""

JOIN = "join_s"
"""A measure with which a walk says of each flag how long it can be joined, where one may end its stretch; the
parameter of that name else."""

SPAN = "span_s"
"""A measure with which a walk says how long the flagged print's stretch has lasted (`Flags.span_s`)."""

CALENDAR = ("open_ns", "close_ns")
"""Fields of a record that hold the session's auctions, in ns since 1970; 0 without an auction."""

QUARTER = "quarter"
"""A measure with which a walk says of each flag which quarter of an hour of the profile's usual day it
compares with, from 1 at midnight; 0 without one. For the sentence alone."""

RECENT = "recent"
"""A measure with which a walk says of each print, flagged or not, how many there are at present; for charts
alone."""


class PatternParameters(Parameters):
    """Parameters of a pattern: all of them numbers."""

    join_s: float


class PatternDetector(Detector):
    """Flags the prints of a stretch, as its walk measures them."""

    parameters: type[PatternParameters]
    state: np.dtype
    """A session's record; all zero before the first print. With the fields of `CALENDAR`, where needed."""
    measures: np.dtype
    """`MEASURES`, and what the sentence needs; these further fields are shown as features."""

    def __init__(self, context: DetectorContext) -> None:
        self._own = context.parameters_of(self.name, self.parameters)
        self._auction_times = context.auction_times
        self._states = np.zeros(0, self.state)
        self._parameters = np.zeros(0, record_type(self.parameters))
        self.state_schema = str(self.state.descr)
        self._names = self.measures.names or ()
        self._shown = [name for name in self._names if name not in (*dict(MEASURES), JOIN, QUARTER, RECENT)]
        none = np.zeros(0)
        self._no_flags = Flags(
            at=np.zeros(0, np.int64),
            score=none,
            value=none,
            expected=none,
            threshold=none,
            reasons=(),
            contributions={self.name: none},
            features=dict.fromkeys(self._shown, none),
        )

    @property
    def state_store(self) -> StateStore:
        """See `Detector`."""
        return self

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        self._states = grown(self._states, slot)
        self._parameters = grown(self._parameters, slot)
        self._states[slot] = np.zeros((), self.state)
        self._parameters[slot] = record_of(self._own(session.symbol))
        if session.day and set(CALENDAR) <= set(self.state.names or ()):
            self._states[slot]["open_ns"], self._states[slot]["close_ns"] = self._auction_times(session.day)

    def save(self, slot: int) -> bytes:
        """See `StateStore`."""
        return self._states[slot].tobytes()

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`; the calendar's times stay those of the present calendar."""
        restored = one_record(saved, self.state).copy()
        for name in CALENDAR:
            if name in (self.state.names or ()):
                restored[name] = self._states[slot][name]
        self._states[slot] = restored

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`. Bars, and prints of which nothing is eligible, are left out."""
        taken, own = batch.prints
        measured = self.measure(own)
        rows = np.flatnonzero(measured["evidence"] >= ALERT)
        if not len(rows):
            return self._no_flags
        found = measured[rows]
        prices = own.price[rows]
        return Flags(
            at=taken[rows],
            score=score_of(found["evidence"]),
            value=found["value"],
            expected=found["expected"],
            threshold=found["threshold"],
            reasons=LazyReasons(lambda row: self.reason(found[row], float(prices[row])), range(len(found))),
            contributions={self.name: np.ones(len(found))},
            features={name: found[name].astype(np.float64) for name in self._shown},
            join_s=found[JOIN] if JOIN in self._names else self._parameters["join_s"][own.slot[rows]],
            span_s=found[SPAN] if SPAN in self._names else None,
            prints=found["prints"],
            is_running_total=True,
        )

    def measure(self, prints: Batch) -> np.ndarray:
        """Measure the next prints, n of them: `measures`, shape (n,). The first step of `flag`."""
        measured = np.zeros(len(prints), self.measures)
        self.walk(self._states, self._parameters, prints, measured)
        return measured

    @abstractmethod
    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """Measure prints in order, and remember each in its session's record: calls compiled code.

        Parameters
        ----------
        states, parameters
            Records by slot: `state`, and the parameters'.
        batch
            The prints; an event time may step back a little, after a wrong stamp.
        out
            `measures` of each print, shape (n,), all zero before.
        """

    @abstractmethod
    def reason(self, row: Record, price: float) -> str:
        """Write the sentence of a flagged print, without its capital and full stop."""
