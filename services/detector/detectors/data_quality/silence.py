"""Silence: no print for minutes in a symbol that usually prints every few seconds.

It is known with the symbol's next print, which carries it. A gap is compared with the session's own: with the
usual one, and with the longest of late. The hours before, between and after the auctions have gaps of their
own, so each begins to learn again.
"""

from math import log2

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import span_text
from services.detector.detectors.core.state import HIDDEN, SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import (
    CALENDAR,
    MEASURES,
    PatternDetector,
    PatternParameters,
)
from services.detector.engine.batch import PRICE_ELIGIBLE, Batch
from services.detector.engine.record import Record

MOST = ALERT + 2.0
"""Evidence of the longest silence: it may be a halt."""

SIZES = 500.0
"""Prints that the mean size remembers."""


class SilenceParameters(PatternParameters):
    """Parameters of Silence."""

    join_s: float = Field(2.0, ge=0, description="how long a silence explains an off-market price after it")
    least_s: float = Field(60.0, gt=0, description="shortest silence")
    usual_gaps: float = Field(20.0, gt=0, description="shortest silence, in usual gaps")
    longest_gaps: float = Field(2.5, gt=0, description="shortest silence, in the longest gaps of late")
    gaps: float = Field(1000.0, gt=1, description="gaps that are remembered")
    least_gaps: int = Field(50, ge=1, description="gaps seen before one is judged")
    reopening_sizes: float = Field(
        10.0, gt=0, description="size without a side of a print that reopens after a halt, in mean sizes"
    )
    free_jump: float = Field(0.04, ge=0, description="jump over the silence that adds nothing, as a share")
    jump_weight: float = Field(60.0, ge=0, description="evidence for each 100 % of jump beyond that")


class Silence(PatternDetector):
    """Flags the first print after a silence."""

    name = "silence"
    parameters = SilenceParameters
    state = np.dtype(
        [
            ("last_ns", "i8"),
            ("moment_ns", "i8"),
            ("gaps", "i8"),
            ("usual_s", "f8"),
            ("longest_s", "f8"),
            ("mean_size", "f8"),
            ("last_price", "f8"),
            *((name, "i8") for name in CALENDAR),
        ]
    )
    measures = np.dtype([*MEASURES, ("usual_gap_s", "f8"), ("jump_share", "f8"), ("is_reopening", "f8")])

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`; value and threshold are seconds, expected is the usual gap."""
        _walk(
            states,
            parameters,
            *(batch.slot, batch.event_ns, batch.price, batch.size, batch.side, batch.eligible),
            out,
        )

    def reason(self, row: Record, price: float) -> str:
        """See `PatternDetector`."""
        jump = row["jump_share"]
        moved = f"{price:,.10g} is {abs(jump):.2%} {'above' if jump > 0 else 'below'} the last price, "
        usual = row["usual_gap_s"]
        often = "every second" if usual < 1.5 else f"every {usual:,.0f} s"
        return (
            f"{moved if jump else ''}after {span_text(row['value'])} without a trade, "
            f"where one usually comes {often}"
            f"{'; a large print without a side, as after a halt' if row['is_reopening'] else ''}"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slots: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    side: np.ndarray,
    eligible: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slots)):
        s = states[slots[i]]
        p = parameters[slots[i]]
        now = event_ns[i]
        if s.moment_ns == 0:
            s.last_ns = s.moment_ns = now
            s.mean_size = size[i]
            s.usual_s = 1.0
        for border in (s.open_ns, s.close_ns):
            if s.last_ns < border <= now:
                s.gaps = 0
                s.longest_s = 0.0
                s.last_ns = s.moment_ns = border
        gap_s = (now - s.last_ns) / SECOND_NS
        limit_s = max(p.least_s, p.usual_gaps * s.usual_s, p.longest_gaps * s.longest_s)
        is_priced = eligible[i] & PRICE_ELIGIBLE != 0
        if gap_s >= limit_s and s.gaps >= p.least_gaps:
            o = out[i]
            o.is_reopening = side[i] == HIDDEN and size[i] >= p.reopening_sizes * s.mean_size
            o.evidence = ALERT
            if not o.is_reopening:
                o.evidence = min(ALERT + log2(gap_s / limit_s), MOST)
            if is_priced and s.last_price != 0.0:
                o.jump_share = (price[i] - s.last_price) / abs(s.last_price)
                o.evidence += p.jump_weight * max(abs(o.jump_share) - p.free_jump, 0.0)
            o.value = gap_s
            o.expected = o.usual_gap_s = s.usual_s
            o.threshold = limit_s
            o.prints = 1
        since_s = (now - s.moment_ns) / SECOND_NS
        if since_s >= 1.0 or since_s < 0.0:  # prints within a second are one moment
            memory = min(p.gaps, s.gaps + 5.0)
            s.usual_s += (min(max(since_s, 1.0), limit_s) - s.usual_s) / memory
            # One silence hardly hides the next, but gaps that are all longer are soon usual.
            s.longest_s += (0.0 - s.longest_s) / p.gaps
            s.longest_s = max(s.longest_s, min(gap_s, max(2.0 * s.longest_s, 0.5 * limit_s)))
            s.gaps += 1
            s.moment_ns = now
        s.last_ns = now
        s.mean_size += (min(size[i], 20.0 * s.mean_size + 1.0) - s.mean_size) / SIZES
        if is_priced:
            s.last_price = price[i]
