"""Level Shift: prices change by a constant factor at once, as by a wrong scale or with another symbol's."""

from math import log

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.data_quality.levels import LEVELS, MOST, OTHER, follow_levels
from services.detector.detectors.patterns.base import JOIN, MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import PRICE_ELIGIBLE, Batch
from services.detector.engine.record import Record

SCALES = (10.0, 100.0, 1000.0, 1e4, 1e6, 1e9)
"""Factors of a wrong scale."""

SPLITS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 15.0, 20.0, 25.0, 50.0)
"""Factors of splits; 10:1 is the same as a scale."""

EXACT = 0.02
"""How near to a factor the ratio of two levels is, as a share."""

SWITCHES_S = 60.0


class LevelShiftParameters(PatternParameters):
    """Parameters of Level Shift."""

    join_s: float = Field(600.0, ge=0, description="longest pause within it")
    explained_s: float = Field(1.0, ge=0, description="how long it explains off-market prices after it")
    least_shift: float = Field(0.25, gt=0, description="least change of the level, as its logarithm")
    least_prints: int = Field(3, ge=1, description="prints in a row at the new level")
    accept_s: float = Field(600.0, ge=0, description="time after which a new level is the usual one")
    accept_prints: int = Field(200, ge=1, description="and prints")


class LevelShift(PatternDetector):
    """Flags prints at a new price level until it is the usual one."""

    name = "level_shift"
    parameters = LevelShiftParameters
    state = np.dtype([*LEVELS, ("shift_prints", "i8"), ("shift_run", "i8"), ("new_level", "f8")])
    measures = np.dtype(
        [*MEASURES, (JOIN, "f8"), ("new_level", "f8"), ("factor", "f8"), ("named_factor", "f8")]
    )

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; value is the price, expected the level before, threshold the least shift."""
        _walk(states, parameters, *(batch.slot, batch.event_ns, batch.price, batch.eligible), out)
        flagged = np.flatnonzero(out["evidence"])
        out["named_factor"][flagged] = [_named(ratio) for ratio in out["factor"][flagged].tolist()]

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - others say it
        """See `PatternDetector`."""
        named, ratio = float(row["named_factor"]), float(row["factor"])
        prints = f"for {row['prints']:,} prints"
        if named == 0.0:
            return (
                f"prices have been near {row['new_level']:,.6g}, {ratio:.3g} of the {row['expected']:,.6g} "
                f"before, {prints}: another symbol's?"
            )
        size = max(named, 1.0 / named)
        times = f"{size:,.10g} times those" if named > 1.0 else f"1/{size:,.10g} of those"
        if named < 1.0 and size == 1.5:
            times = "2/3 of those"
        if size in SCALES:
            guess = "a wrong scale, or a split?" if size == 10.0 else "a wrong scale?"
        else:
            guess = "a split?" if named < 1.0 else "a reverse split?"
        return f"prices have been {times} before {prints}, near {row['new_level']:,.6g}: {guess}"


def _named(ratio: float) -> float:
    """Return the factor of a scale or a split that a ratio of two levels is; 0 for none."""
    size = max(ratio, 1.0 / ratio)
    for factor in (*SCALES, *SPLITS):
        if abs(size / factor - 1.0) <= EXACT:
            return factor if ratio > 1.0 else 1.0 / factor
    return 0.0


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
        at = follow_levels(s, event_ns[i], price[i], p.least_shift, p.accept_s, p.accept_prints, SWITCHES_S)
        # Errors that stand alone are seen again and again at one level, but not in a row.
        is_other = at == OTHER and s.run >= p.least_prints
        if is_other:
            s.shift_prints = s.seen
            s.shift_run = s.run
            s.new_level = s.other
        elif s.shift_prints == 0:
            continue
        # Or its first print back, which belongs to the stretch, and ends it.
        level = s.level
        o = out[i]
        shift = abs(log(s.new_level / level))
        if is_other or shift >= p.least_shift:
            o.evidence = ALERT * min(1.0 + s.shift_run / p.least_prints * shift, MOST)
            o.value = price[i]
            o.expected = level
            o.threshold = level * np.exp(p.least_shift if s.new_level > level else -p.least_shift)
            o.prints = s.shift_prints
            o.new_level = s.new_level
            o.factor = s.new_level / level
            o.join_s = p.join_s if is_other else p.explained_s
        if not is_other:
            s.shift_prints = 0
