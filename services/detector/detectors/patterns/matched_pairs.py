"""Matched Pairs: one size at one price, again and again, from alternating sides.

Or one size in pairs, a buy and a sale at one price each, wherever the market has gone between them. A pattern
like wash trades. Who traded is not on a tape, so that is as much as can be said.
"""

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.trade import size_text
from services.detector.detectors.amounts import span_text
from services.detector.detectors.core.state import BUY, SECOND_NS, SELL
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import MEASURES, PatternDetector, PatternParameters
from services.detector.detectors.patterns.repeats import KEYS, place_of
from services.detector.engine.batch import Batch
from services.detector.engine.record import Record

SAME_SIDE = 2.0
"""A print of the same side as the last takes back so many turns: among natural prints the sum stays low."""
UNPAIRED = 2.0
"""A print of the size whose next one is no partner takes back so many pairs."""

KEPT = 2.0
"""From so many turns, or pairs, on, another print of the same place does not push a run out."""

STATE = np.dtype(
    [
        ("price", "f8", (KEYS,)),
        ("size", "f8", (KEYS,)),
        ("side", "i8", (KEYS,)),
        ("turns", "f8", (KEYS,)),
        ("count", "i8", (KEYS,)),
        ("from_ns", "i8", (KEYS,)),
        ("last_ns", "i8", (KEYS,)),
        ("pair_price", "f8", (KEYS,)),
        ("pair_size", "f8", (KEYS,)),
        ("pair_side", "i8", (KEYS,)),
        ("pairs", "f8", (KEYS,)),
        ("pair_count", "i8", (KEYS,)),
        ("pair_from_ns", "i8", (KEYS,)),
        ("pair_last_ns", "i8", (KEYS,)),
        ("is_half", "i8", (KEYS,)),
    ]
)
"""The newest run of equal prints under each key; `turns`: changes of side, less those taken back. And the
newest run of pairs of a size: `pairs`, less those taken back; `is_half`: its last print has no partner."""

_MEASURES = np.dtype([*MEASURES, ("size", "f8"), ("span_s", "f8"), ("is_moving", "f8")])


class MatchedPairsParameters(PatternParameters):
    """Parameters of `MatchedPairs`."""

    least_turns: float = Field(
        14.0,
        gt=0,
        description="changes of side from which it is one; a print of the last side takes back two",
    )
    least_pairs: float = Field(
        10.0,
        gt=0,
        description="pairs of one size, each at one price, from which it is one; one without a partner takes "
        "back two",
    )
    pair_s: float = Field(1.0, ge=0, description="most time between the two of such a pair")
    gap_s: float = Field(15.0, gt=0, description="an equal print so late after the last one starts a new run")
    join_s: float = Field(
        30.0, gt=0, description="a flag so soon after the last one is part of the same anomaly"
    )


class MatchedPairs(PatternDetector):
    """Flags equal prints from alternating sides."""

    name = "matched_pairs"
    parameters = MatchedPairsParameters
    state = STATE
    measures = _MEASURES

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`."""
        _walk(states, parameters, batch.slot, batch.event_ns, batch.price, batch.size, batch.side, out)

    def reason(self, row: Record, price: float) -> str:
        """See `PatternDetector`."""
        where = "in pairs at one price each" if row["is_moving"] else f"at {price:,.10g}"
        return (
            f"{row['prints']:,} prints of {size_text(row['size'])} {where} from alternating sides "
            f"within {span_text(row['span_s'])}, a pattern like wash trades"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    slot: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    side: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slot)):
        if side[i] != BUY and side[i] != SELL:
            continue
        s = states[slot[i]]
        p = parameters[slot[i]]
        _count_turns(s, p, event_ns[i], price[i], size[i], side[i], out[i])
        _count_pairs(s, p, event_ns[i], price[i], size[i], side[i], out[i])


@njit(cache=True)
def _count_turns(s: Record, p: Record, now: int, price: float, size: float, side: int, row: Record) -> None:
    """Count the changes of side among equal prints."""
    at = place_of(price, size)
    is_over = s.side[at] == 0 or now - s.last_ns[at] > p.gap_s * SECOND_NS
    is_equal = s.price[at] == price and s.size[at] == size
    if not is_equal and not is_over and s.turns[at] >= KEPT:
        return  # another print of the same place amid a run
    has_turned = side != s.side[at]
    turns = s.turns[at] + (1.0 if has_turned else -SAME_SIDE)
    if is_over or not is_equal or turns < 0.0:
        s.price[at] = price
        s.size[at] = size
        s.count[at] = 0
        s.from_ns[at] = now
        turns = 0.0
    s.side[at] = side
    s.turns[at] = turns
    s.count[at] += 1
    s.last_ns[at] = now
    if turns < p.least_turns or not has_turned:
        return
    row.evidence = ALERT + 4.0 * np.log10(turns / p.least_turns)
    row.value = turns
    row.threshold = p.least_turns
    row.prints = s.count[at]
    row.size = size
    row.span_s = max(now - s.from_ns[at], 0) / SECOND_NS


@njit(cache=True)
def _count_pairs(s: Record, p: Record, now: int, price: float, size: float, side: int, row: Record) -> None:
    """Count the pairs among prints of a size."""
    at = place_of(0.0, size)
    is_over = s.pair_side[at] == 0 or now - s.pair_last_ns[at] > p.gap_s * SECOND_NS
    is_equal = s.pair_size[at] == size
    if not is_equal and not is_over and s.pairs[at] >= KEPT:
        return
    is_pair = False
    if is_over or not is_equal:
        s.pair_size[at] = size
        s.pairs[at] = 0.0
        s.is_half[at] = 1
    elif s.is_half[at] == 0:
        s.is_half[at] = 1
    else:
        is_pair = (
            s.pair_price[at] == price
            and s.pair_side[at] != side
            and now - s.pair_last_ns[at] <= p.pair_s * SECOND_NS
        )
        s.is_half[at] = 0 if is_pair else 1
        s.pairs[at] = s.pairs[at] + 1.0 if is_pair else max(s.pairs[at] - UNPAIRED, 0.0)
    if s.pairs[at] == 0.0:
        s.pair_from_ns[at] = now
        s.pair_count[at] = 0
    s.pair_price[at] = price
    s.pair_side[at] = side
    s.pair_last_ns[at] = now
    s.pair_count[at] += 1
    if not is_pair or s.pairs[at] < p.least_pairs:
        return
    evidence = ALERT + 4.0 * np.log10(s.pairs[at] / p.least_pairs)
    if evidence <= row.evidence:
        return
    row.evidence = evidence
    row.value = 2.0 * s.pairs[at]
    row.threshold = 2.0 * p.least_pairs
    row.prints = s.pair_count[at]
    row.size = size
    row.span_s = max(now - s.pair_from_ns[at], 0) / SECOND_NS
    row.is_moving = 1.0
