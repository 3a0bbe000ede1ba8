"""Print Storm: one print, its price and size, many times within a second.

Tapes do it by nature where orders gather: at whole and half dollars, around the auctions and when
imbalances are told; that is Round-Number Fill, which is expected. A program that cuts its order into equal
slices does it again and again with one size, so a size that has had a storm needs a larger one to be told
again.
"""

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.trade import size_text
from services.detector.detectors.amounts import span_text
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import (
    CALENDAR,
    MEASURES,
    PatternDetector,
    PatternParameters,
)
from services.detector.detectors.patterns.repeats import KEYS, place_of
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

SIZES = 8
"""So many sizes that had a storm are remembered."""

REPEATED = 1.4
"""A size that has had a storm needs so many times the least prints."""

NATURAL = 2.0
"""A fill at a natural place needs so many times the least prints."""

NOTICED = 0.8
"""A run of this share of the least prints counts as a storm that its size has had."""

IMBALANCE_S = 600
IMBALANCE_BEAT_S = 10
"""From ten minutes before the close, imbalances are told every ten seconds."""

STATE = np.dtype(
    [
        *((name, "i8") for name in CALENDAR),
        ("seen", "i8"),
        ("sizes", "f8", (SIZES,)),
        ("sizes_seen", "i8"),
        ("price", "f8", (KEYS,)),
        ("size", "f8", (KEYS,)),
        ("count", "i8", (KEYS,)),
        ("from_ns", "i8", (KEYS,)),
        ("last_ns", "i8", (KEYS,)),
        ("from_seen", "i8", (KEYS,)),
        ("is_repeated", "i8", (KEYS,)),
    ]
)
"""`seen`: the session's prints; the arrays: the newest run of equal prints under each key, with the number of
the print before its first one."""

_MEASURES = np.dtype([*MEASURES, ("size", "f8"), ("span_s", "f8"), ("share", "f8")])


class PrintStormParameters(PatternParameters):
    """Parameters of `PrintStorm`."""

    least_prints: float = Field(50.0, gt=0, description="equal prints a second from which it is a storm")
    gap_s: float = Field(0.25, gt=0, description="an equal print so late after the last one starts a new run")
    least_share: float = Field(
        0.5, ge=0, le=1, description="least share of the equal prints in all since the first of them"
    )
    auction_s: float = Field(
        60.0, ge=0, description="natural so soon after the opening auction, and before the closing one"
    )
    join_s: float = Field(5.0, gt=0, description="a storm so soon after the last is part of the same anomaly")


class PrintStorm(PatternDetector):
    """Flags the prints of a storm that has no natural reason."""

    name = "print_storm"
    parameters = PrintStormParameters
    state = STATE
    measures = _MEASURES
    is_natural = False

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`."""
        _walk(states, parameters, batch.slot, batch.event_ns, batch.price, batch.size, self.is_natural, out)

    def reason(self, row: Record, price: float) -> str:
        """See `PatternDetector`."""
        return (
            f"the same print, {size_text(row['size'])} at {price:,.10g}, {row['prints']:,} times within "
            f"{span_text(row['span_s'])}"
        )


class RoundNumberFill(PrintStorm):
    """Labels storms where orders gather by nature, so that they raise no alert."""

    name = "round_number_fill"
    is_natural = True

    def reason(self, row: Record, price: float) -> str:
        """See `PatternDetector`."""
        return f"round-number fill: {super().reason(row, price)}"


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slot: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    is_natural: bool,
    out: np.ndarray,
) -> None:
    for i in range(len(slot)):
        s = states[slot[i]]
        p = parameters[slot[i]]
        s.seen += 1
        at = place_of(price[i], size[i])
        gap_ns = event_ns[i] - s.last_ns[at]
        is_over = s.count[at] == 0 or gap_ns > p.gap_s * SECOND_NS
        if s.price[at] == price[i] and s.size[at] == size[i] and not is_over:
            s.count[at] += 1
            s.last_ns[at] = max(event_ns[i], s.last_ns[at])
        elif is_over or s.count[at] < NOTICED * p.least_prints:
            s.price[at] = price[i]
            s.size[at] = size[i]
            s.count[at] = 1
            s.from_ns[at] = s.last_ns[at] = event_ns[i]
            s.from_seen[at] = s.seen - 1
            s.is_repeated[at] = 0
        else:
            continue  # another print of the same key amid a run
        count = s.count[at]
        if count < NOTICED * p.least_prints:
            continue
        span_s = (s.last_ns[at] - s.from_ns[at]) / SECOND_NS
        rate = count / max(span_s, 1.0)
        share = count / (s.seen - s.from_seen[at])
        natural = _is_natural(s, p, event_ns[i], price[i])
        if count - 1 < NOTICED * p.least_prints and share >= p.least_share:
            s.is_repeated[at] = _has_had(s, size[i])
        if natural != is_natural or (share < p.least_share and not is_natural):
            continue
        least = p.least_prints * (NATURAL if is_natural else REPEATED if s.is_repeated[at] else 1.0)
        if rate >= least:
            row = out[i]
            row.evidence = ALERT + 3.0 * np.log10(rate / least)
            row.value = count
            row.expected = 1.0
            row.threshold = least
            row.prints = count
            row.size = size[i]
            row.span_s = span_s
            row.share = share


@njit(cache=True)
def _has_had(s: Record, size: float) -> bool:
    """Tell whether a size has had a storm, and remember that it has."""
    for k in range(min(s.sizes_seen, SIZES)):
        if s.sizes[k] == size:
            return True
    s.sizes[s.sizes_seen % SIZES] = size
    s.sizes_seen += 1
    return False


@njit(cache=True)
def _is_natural(s: Record, p: Record, now_ns: int, price: float) -> bool:
    """Tell whether orders gather at this price, a whole or half unit of the currency, or at this time."""
    # 138.5 of 138, 1,385 of 1,380: the halves of the third digit, never less than half a unit
    unit = 0.5 if abs(price) < 1_000.0 else 0.5 * 10.0 ** (np.floor(np.log10(abs(price))) - 2.0)
    if price % unit == 0.0:
        return True
    if s.close_ns == 0:
        return False
    if 0 <= now_ns - s.open_ns < p.auction_s * SECOND_NS:
        return True
    to_close_s = (s.close_ns - now_ns) / SECOND_NS
    is_beat = to_close_s <= IMBALANCE_S and (-to_close_s) % IMBALANCE_BEAT_S < 1.0
    return -p.auction_s < to_close_s < p.auction_s or (is_beat and to_close_s >= 0.0)
