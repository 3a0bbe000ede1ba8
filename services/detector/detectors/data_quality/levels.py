"""Two price levels of a session: the accepted one, and another one that prints have been seen at.

A level follows its own prints. A print that is near neither level begins a new other one.
"""

from math import exp, log

from numba import njit

from services.detector.detectors.core.state import SECOND_NS
from services.detector.engine.record import Record

FIRST_PRINTS = 100
"""Prints of a session that only teach how far apart its usual prices are."""

SOON = 3
"""Prints in a row at another level that replace a level of fewer than `FEW` prints: the first print of a
session is the likeliest bad one."""

FEW = 20

LEVELS = [
    ("level", "f8"),
    ("other", "f8"),
    ("last_price", "f8"),
    ("all", "i8"),
    ("prints", "i8"),
    ("run", "i8"),
    ("run_ns", "i8"),
    ("seen", "i8"),
    ("switches", "f8"),
    ("last_ns", "i8"),
    ("is_other", "i8"),
    ("usual_change", "f8"),
]
"""`all` prints; `prints` at the accepted level; at the other one: `run` in a row since `run_ns`, and `seen`
since its first. `switches` between the two, decaying; `usual_change` from print to print, as a share."""

NOWHERE, ACCEPTED, OTHER = range(3)

MOST = 15.0
"""Most evidence of prints at another level, in alerts: as much as the price of a single print can have."""


@njit(cache=True)
def follow_levels(
    s: Record, now_ns: int, price: float, apart: float, accept_s: float, accept_prints: int, switches_s: float
) -> int:
    """Take a price, and tell which level it is at; `NOWHERE` for one that is not judged.

    Parameters
    ----------
    s
        A record with the fields of `LEVELS`.
    now_ns, price
        The print's.
    apart
        How far apart two levels are at least, in logarithms.
    accept_s, accept_prints
        After so long and so many prints in a row the other level is accepted.
    switches_s
        Time that switches are remembered for.
    """
    if price <= 0.0:
        return NOWHERE
    if s.level <= 0.0:
        s.level = s.last_price = price
        s.prints = 1
        s.usual_change = 1e-3
        s.last_ns = now_ns
        return ACCEPTED
    s.switches *= exp(-max(now_ns - s.last_ns, 0) / SECOND_NS / switches_s)
    s.last_ns = now_ns
    s.all += 1
    distance = abs(log(price / s.level))
    change = abs(log(price / s.last_price))
    s.last_price = price
    memory = 1000.0  # of changes of level: a spread that has become wide is usual in the end
    if s.all < FIRST_PRINTS:
        memory = 20.0
    elif change < apart:
        memory = 200.0
    s.usual_change += (min(change, 3.0 * s.usual_change) - s.usual_change) / memory
    s.usual_change = max(s.usual_change, 1e-6)
    limit = max(apart, 20.0 * s.usual_change)
    is_at_other = False
    if s.other > 0.0:
        gap = abs(log(s.other / s.level))
        if gap < limit:
            _forget_other(s)
        else:
            from_other = abs(log(price / s.other))
            is_at_other = from_other < distance and from_other < min(0.5 * limit, 0.25 * gap)
    if not is_at_other and distance < limit:
        if s.is_other:
            s.switches += 1.0
            s.is_other = 0
        s.run = 0
        s.prints += 1
        s.level += 0.5 * (price - s.level)
        return ACCEPTED
    if not is_at_other:
        _forget_other(s)
        s.other = price
    if s.run == 0:
        s.run_ns = now_ns
    if not s.is_other:
        s.switches += 1.0
        s.is_other = 1
    s.run += 1
    s.seen += 1
    s.other += 0.5 * (price - s.other)
    is_accepted = s.run >= accept_prints and now_ns - s.run_ns >= accept_s * SECOND_NS
    if is_accepted or (s.prints < FEW and s.run >= SOON):
        s.level = s.other
        s.prints = s.run
        _forget_other(s)
        return ACCEPTED
    return OTHER if s.all >= FIRST_PRINTS else NOWHERE


@njit(cache=True)
def _forget_other(s: Record) -> None:
    s.other = 0.0
    s.run = s.seen = s.is_other = 0
    s.switches = 0.0
