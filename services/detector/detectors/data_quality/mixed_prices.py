"""Mixed Prices: another symbol's prices among a session's own, which alternate between two levels."""

from math import log

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.data_quality.levels import LEVELS, MOST, OTHER, follow_levels
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import PRICE_ELIGIBLE, Batch
from services.detector.engine.record import Record

A_TENTH = 0.1
"""Each further print that is so far away, as a logarithm, adds an alert to the evidence."""


class MixedPricesParameters(PatternParameters):
    """Parameters of Mixed Prices."""

    join_s: float = Field(20.0, ge=0, description="longest pause, and how long it explains prices after it")
    least_apart: float = Field(0.01, gt=0, description="distance of the two levels, as a logarithm")
    least_switches: float = Field(2.5, gt=0, description="changes of level, decaying: there, back, and there")
    switches_s: float = Field(120.0, gt=0, description="time that they are remembered for")
    least_prints: int = Field(5, ge=1, description="prints at the other level")
    accept_s: float = Field(600.0, ge=0, description="time after which a new level is the usual one")
    accept_prints: int = Field(200, ge=1, description="and prints")


class MixedPrices(PatternDetector):
    """Flags prints at another level between which and the usual one prices alternate."""

    name = "mixed_prices"
    parameters = MixedPricesParameters
    state = np.dtype(LEVELS)
    measures = np.dtype([*MEASURES, ("switches", "f8")])

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; value is the price, expected the level, threshold the nearest other."""
        _walk(states, parameters, *(batch.slot, batch.event_ns, batch.price, batch.eligible), out)

    def reason(self, row: Record, price: float) -> str:
        """See `PatternDetector`."""
        return (
            f"{row['prints']:,} prints near {price:,.6g} alternate with others near {row['expected']:,.6g}: "
            "another symbol's prices?"
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
        at = follow_levels(s, event_ns[i], price[i], p.least_apart, p.accept_s, p.accept_prints, p.switches_s)
        if at == OTHER and s.switches >= p.least_switches and s.seen >= p.least_prints:
            o = out[i]
            wrong = 1.0 + (s.seen - p.least_prints) * abs(log(s.other / s.level)) / A_TENTH
            o.evidence = ALERT * min(max(s.switches / p.least_switches, wrong), MOST)
            o.value = price[i]
            o.expected = s.level
            direction = 1.0 if s.other > s.level else -1.0
            o.threshold = s.level * np.exp(direction * p.least_apart)
            o.prints = s.seen
            o.switches = s.switches
