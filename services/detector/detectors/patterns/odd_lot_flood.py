"""Odd-Lot Flood: hundreds of the smallest prints a second, and hardly anything else."""

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import span_text
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

HALF_SECOND_NS = SECOND_NS // 2

OVER = 0.2
"""A flood is over where the rate is below this share of the least."""

STATE = np.dtype(
    [
        ("last_ns", "i8"),
        ("recent", "f8"),
        ("recent_small", "f8"),
        ("recent_all", "f8"),
        ("half_second", "i8"),
        ("at_once", "i8"),
        ("usual_small", "f8"),
        ("from_ns", "i8"),
        ("small", "i8"),
    ]
)
"""Decaying counts of small prints, in `recent` of so many of each half second at most, and of all; `small` of
them are in the stretch that began at `from_ns`."""

_MEASURES = np.dtype([*MEASURES, ("share", "f8"), ("span_s", "f8"), ("shares", "f8")])


class OddLotFloodParameters(PatternParameters):
    """Parameters of `OddLotFlood`."""

    small_shares: float = Field(5.0, gt=0, description="largest size of a print that counts, in shares")
    window_s: float = Field(5.0, gt=0, description="time in which counted prints fade")
    least_prints: float = Field(160.0, gt=0, description="such prints within the window from which it is one")
    most_at_once: float = Field(
        50.0,
        gt=0,
        description="prints that count of half a second at most: more at once is a storm or a sweep",
    )
    always_prints: float = Field(
        1000.0, gt=0, description="so many prints within the window are one however many come at once"
    )
    least_share: float = Field(0.65, ge=0, le=1, description="least share of them in all prints")
    usual_s: float = Field(600.0, gt=0, description="time in which the session's usual rate fades")
    least_ratio: float = Field(
        5.0, ge=0, description="least rate, in the session's usual rates of such prints"
    )
    join_s: float = Field(
        30.0, gt=0, description="a flood so soon after the last is part of the same anomaly"
    )


class OddLotFlood(PatternDetector):
    """Flags the small prints of a flood."""

    name = "odd_lot_flood"
    parameters = OddLotFloodParameters
    state = STATE
    measures = _MEASURES

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`."""
        _walk(states, parameters, batch.slot, batch.event_ns, batch.size, out)

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - any print of it says the same
        """See `PatternDetector`."""
        return (
            f"{row['prints']:,} prints of at most {row['shares']:,.10g} shares within "
            f"{span_text(row['span_s'])}, {row['share']:.0%} of all"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slot: np.ndarray,
    event_ns: np.ndarray,
    size: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slot)):
        s = states[slot[i]]
        p = parameters[slot[i]]
        gap_s = max(event_ns[i] - s.last_ns, 0) / SECOND_NS
        s.last_ns = event_ns[i]
        if gap_s > 0.0:
            fade = np.exp(-gap_s / p.window_s)
            s.recent *= fade
            s.recent_small *= fade
            s.recent_all *= fade
            s.usual_small *= np.exp(-gap_s / p.usual_s)
        s.recent_all += 1.0
        if size[i] > p.small_shares:
            continue
        if s.recent_small < OVER * p.least_prints:
            s.from_ns = event_ns[i]
            s.small = np.int64(s.recent_small)
        s.recent_small += 1.0
        half_second = event_ns[i] // HALF_SECOND_NS
        s.at_once = s.at_once + 1 if half_second == s.half_second else 1
        s.half_second = half_second
        if s.at_once <= p.most_at_once:
            s.recent += 1.0
        s.usual_small += 1.0
        s.small += 1
        least = max(p.least_prints, p.least_ratio * s.usual_small * p.window_s / p.usual_s)
        share = s.recent_small / s.recent_all
        if (s.recent < least and s.recent_small < p.always_prints) or share < p.least_share:
            continue
        row = out[i]
        row.evidence = ALERT + 3.0 * np.log10(s.recent_small / least)
        row.value = s.recent_small / p.window_s
        row.expected = s.usual_small / p.usual_s
        row.threshold = least / p.window_s
        row.prints = s.small
        row.share = share
        row.span_s = max(event_ns[i] - s.from_ns, 0) / SECOND_NS
        row.shares = p.small_shares
