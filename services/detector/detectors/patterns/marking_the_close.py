"""Marking the Close: aggressive prints in the last seconds before the closing auction move the price."""

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import distance_text, span_text
from services.detector.detectors.core.state import BUY, SECOND_NS, SELL
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.patterns.base import (
    CALENDAR,
    MEASURES,
    PatternDetector,
    PatternParameters,
)
from services.detector.engine.batch import PRICE_ELIGIBLE, Batch
from services.detector.engine.record import Record

STATE = np.dtype(
    [
        *((name, "i8") for name in CALENDAR),
        ("last_ns", "i8"),
        ("mean_price", "f8"),
        ("usual_move", "f8"),
        ("trades", "i8"),
        ("beyond", "i8"),
        ("shares", "f8"),
        ("from_ns", "i8"),
    ]
)
"""`mean_price` of the last moments before the window, then no longer moved; `usual_move`: mean distance of
prices from it until then, as a share; prints `beyond`, all of one side: positive above, negative below."""

_MEASURES = np.dtype([*MEASURES, ("move", "f8"), ("shares", "f8"), ("to_close_s", "f8"), ("span_s", "f8")])


class MarkingTheCloseParameters(PatternParameters):
    """Parameters of `MarkingTheClose`."""

    window_s: float = Field(40.0, gt=0, description="how long before the auction it may begin")
    mean_s: float = Field(20.0, gt=0, description="time in which prices before the window fade")
    least_ratio: float = Field(0.0018, gt=0, description="least move, as a share of the price before")
    usual_moves: float = Field(
        8.0, ge=0, description="least move, in mean distances of prices from that of the moments before"
    )
    least_prints: float = Field(3.0, ge=1, description="aggressive prints beyond, from which it is one")
    join_s: float = Field(
        30.0, gt=0, description="a flag so soon after the last one is part of the same anomaly"
    )


class MarkingTheClose(PatternDetector):
    """Flags aggressive prints that move the price just before the closing auction."""

    name = "marking_the_close"
    parameters = MarkingTheCloseParameters
    state = STATE
    measures = _MEASURES

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`."""
        _walk(
            *(states, parameters, batch.slot, batch.event_ns, batch.price),
            *(batch.size, batch.side, batch.eligible, out),
        )

    def reason(self, row: Record, price: float) -> str:
        """See `PatternDetector`."""
        before = row["expected"]
        return (
            f"marking the close: {row['prints']:,} prints of {row['shares']:,.10g} shares moved the "
            f"price by {distance_text(price, before)} from {before:,.6g}, {span_text(row['to_close_s'])} "
            "before the closing auction"
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
    eligible: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slot)):
        s = states[slot[i]]
        p = parameters[slot[i]]
        if s.close_ns == 0 or event_ns[i] >= s.close_ns or eligible[i] & PRICE_ELIGIBLE == 0:
            continue
        if s.trades == 0:
            s.mean_price = price[i]
            s.last_ns = event_ns[i]
        to_close_s = (s.close_ns - event_ns[i]) / SECOND_NS
        move = price[i] - s.mean_price
        if to_close_s > p.window_s:
            gap_s = max(event_ns[i] - s.last_ns, 0) / SECOND_NS
            s.trades += 1
            s.last_ns = event_ns[i]
            if gap_s > 0.0:
                share = abs(move) / max(abs(s.mean_price), 1e-9)
                s.usual_move += (min(share, 4.0 * max(s.usual_move, 1e-5)) - s.usual_move) * (
                    1.0 - np.exp(-gap_s / (30.0 * p.mean_s))
                )
                s.mean_price += move * (1.0 - np.exp(-gap_s / p.mean_s))
            continue
        least = max(p.least_ratio, p.usual_moves * s.usual_move) * abs(s.mean_price)
        direction = 1 if move > 0.0 else -1
        if s.trades == 0 or least == 0.0 or abs(move) < least or side[i] != (BUY if direction > 0 else SELL):
            continue
        if s.beyond * direction <= 0:
            s.beyond = 0
            s.shares = 0.0
            s.from_ns = event_ns[i]
        s.beyond += direction
        s.shares += size[i]
        if abs(s.beyond) < p.least_prints:
            continue
        row = out[i]
        row.evidence = ALERT + 10.0 * np.log10(abs(move) / least)
        row.value = price[i]
        row.expected = s.mean_price
        row.threshold = s.mean_price + direction * least
        row.prints = abs(s.beyond)
        row.move = move
        row.shares = s.shares
        row.to_close_s = to_close_s
        row.span_s = (event_ns[i] - s.from_ns) / SECOND_NS
