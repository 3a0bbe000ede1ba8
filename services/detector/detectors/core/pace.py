"""How fast a session trades, against what is usual for it: in a flood of trades, most are not learnt from.

Means, units and tails that count trades would otherwise be those of the flood after a few seconds, and the
trades after it would be compared with them.
"""

from math import exp

from numba import njit

from services.detector.engine.record import Record

USUAL_S = 600.0
"""How long the usual pace remembers."""
FLOOD_TIMES = 5.0
"""A pace of that many times the usual one is still learnt from in full."""
LEAST_PACE = 30.0
"""So is any pace of fewer trades a second."""
MOST_STRIDE = 100.0
PACE_PRIOR = 0.5
"""Trades a second that are usual before any was seen."""


@njit(cache=True)
def learns_from(s: Record, event_ns: int) -> bool:
    """Count a trade, and tell whether it is learnt from: all are, but every n-th alone in a flood.

    n grows as the square of the pace.
    """
    gap_s = max(event_ns - s.pace_ns, 0) * 1e-9
    if gap_s > 0.0:
        s.pace *= exp(-gap_s)
        s.usual_pace *= exp(-gap_s / USUAL_S)
    s.pace_ns = event_ns
    most = max(LEAST_PACE, FLOOD_TIMES * s.usual_pace / USUAL_S)
    excess = max(s.pace / most, 1.0)
    s.pace += 1.0
    s.usual_pace += 1.0 / excess
    return bool(s.trades % int(min(excess * excess, MOST_STRIDE)) == 0)
