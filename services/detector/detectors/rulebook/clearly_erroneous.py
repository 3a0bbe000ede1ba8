"""Would-Be Clearly Erroneous: a price so far from the last sale that a review could be requested.

"Would-be", as the rule's last sale is that of the consolidated tape, and a session here is one venue's.
"""

import math
from zoneinfo import ZoneInfo

import numpy as np
from numba import njit
from pydantic import Field

from services.contracts.anomaly import Rule
from services.detector.detectors.amounts import distance_text
from services.detector.detectors.base import Detector, Flags, StateStore, score_beyond
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.parameters import Parameters
from services.detector.detectors.rulebook.tables import erroneous_table
from services.detector.detectors.rulebook.times import clock_text, percent_text, utc_text
from services.detector.detectors.serialize import one_record
from services.detector.engine.batch import ANCHOR_ELIGIBLE, PRICE_ELIGIBLE, Batch, SessionKey
from services.detector.engine.slots import grown

_ROUNDING = 1e-9
"""A price at the threshold is not beyond it, whatever its last bits are."""

_STATE = np.dtype(
    [
        ("candidate", "f8"),  # NaN without one, like the last sale
        ("last_sale", "f8"),
        ("side", "i8"),  # on which side of the threshold the last price was: 1 above, -1 below
        ("beyond_ns", "i8"),  # since when
    ],
    align=True,
)

_TERMS = np.dtype(
    [
        ("open_ns", "i8"),  # 0 on a day without regular hours, when nothing is judged
        ("close_ns", "i8"),
        ("leverage", "f8"),
        ("in_regular_hours", "i8"),
        ("new_level_ns", "i8"),
    ],
    align=True,
)

_NUMBERS = np.dtype([("is_beyond", "i8"), ("last_sale", "f8"), ("share", "f8")], align=True)


class ClearlyErroneousParameters(Parameters):
    """Parameters of `ClearlyErroneousDetector`."""

    regular_hours: bool = Field(
        False,
        description="whether regular hours are judged too, for what LULD does not protect: rights, warrants",
    )
    leverage: float = Field(
        1.0, gt=0, description="how many times a leveraged product moves its index: thresholds grow with it"
    )
    new_level_s: float = Field(
        60.0, gt=0, description="prices beyond the threshold for so long are a new level, and no error"
    )


class ClearlyErroneousDetector(Detector):
    """Flags prices beyond a threshold from the last sale; the first of those that follow each other there."""

    name = "clearly_erroneous"
    parameters = ClearlyErroneousParameters
    state_schema = str(_STATE.descr)

    def __init__(self, context: DetectorContext) -> None:
        self._parameters_of = context.parameters_of(self.name, ClearlyErroneousParameters)
        self._auction_times = context.auction_times
        self._zone = ZoneInfo(context.time_zone)
        self._table = erroneous_table()
        rows = self._table.thresholds
        self._up_to = np.array([one.up_to for one in rows])
        self._shares = np.array([[one.extended, one.regular] for one in rows])
        self._states = np.zeros(0, _STATE)
        self._terms = np.zeros(0, _TERMS)

    @property
    def state_store(self) -> StateStore:
        """See `Detector`."""
        return self

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        p = self._parameters_of(session.symbol)
        self._states = grown(self._states, slot)
        self._terms = grown(self._terms, slot)
        self._states[slot] = (np.nan, np.nan, 0, 0)
        open_ns, close_ns = self._auction_times(session.day) if session.day else (0, 0)
        new_level_ns = int(p.new_level_s * SECOND_NS)
        self._terms[slot] = (open_ns, close_ns, p.leverage, p.regular_hours, new_level_ns)

    def save(self, slot: int) -> bytes:
        """See `StateStore`."""
        return self._states[slot].tobytes()

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`."""
        self._states[slot] = one_record(saved, _STATE)

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value, expected and threshold are prices: the trade's, the last sale, the limit."""
        numbers = np.zeros(len(batch), _NUMBERS)
        _judge(
            self._states,
            self._terms,
            self._up_to,
            self._shares,
            batch.slot,
            batch.event_ns,
            batch.price,
            batch.eligible,
            numbers,
        )
        at = np.flatnonzero(numbers["is_beyond"])
        last_sale, share = numbers["last_sale"][at], numbers["share"][at]
        distance = batch.price[at] - last_sale
        limit = last_sale + np.sign(distance) * share * last_sale
        due_ns = batch.event_ns[at] + self._table.request_minutes * 60 * SECOND_NS
        rules = [
            Rule(reference, band, farthest, utc_text(due))
            for reference, band, farthest, due in zip(
                last_sale.tolist(), share.tolist(), limit.tolist(), due_ns.tolist(), strict=True
            )
        ]
        is_regular = (batch.event_ns >= self._terms["open_ns"][batch.slot]) & (
            batch.event_ns < self._terms["close_ns"][batch.slot]
        )
        return Flags(
            at=at,
            score=score_beyond(np.abs(distance), share * last_sale),
            value=batch.price[at],
            expected=last_sale,
            threshold=limit,
            reasons=[
                self._reason(price, rule, due, regular)
                for price, rule, due, regular in zip(
                    batch.price[at].tolist(), rules, due_ns.tolist(), is_regular[at].tolist(), strict=True
                )
            ],
            contributions={"last_sale_distance": np.ones(len(at))},
            features={"last_sale_distance": distance / last_sale},
            rules=rules,
        )

    def _reason(self, price: float, rule: Rule, due_ns: int, is_regular: bool) -> str:
        side = "above" if price > rule.reference else "below"
        up_to = self._table.threshold_of(rule.reference).up_to
        bucket = f"up to ${up_to:g}" if math.isfinite(up_to) else f"above ${self._up_to[-2]:g}"
        return (
            f"price {price:,.10g} is {distance_text(price, rule.reference)} {side} the last sale at "
            f"{rule.reference:,.10g}, beyond the would-be clearly erroneous threshold of "
            f"{percent_text(rule.band)} ({bucket}, {'regular' if is_regular else 'extended'} hours): "
            f"request review by {clock_text(due_ns, self._zone)}"
        )


@njit(cache=True)
def _judge(
    states: np.ndarray,
    all_terms: np.ndarray,
    up_to: np.ndarray,
    shares: np.ndarray,
    slot: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    eligible: np.ndarray,
    numbers: np.ndarray,
) -> None:
    """Judge each trade by the sale before it."""
    for i in range(len(slot)):
        s = states[slot[i]]
        p = all_terms[slot[i]]
        now_ns = event_ns[i]
        x = price[i]
        if p.open_ns == 0 or not eligible[i] & PRICE_ELIGIBLE or x <= 0.0:
            continue
        is_anchor = eligible[i] & ANCHOR_ELIGIBLE != 0
        is_regular = 1 if p.open_ns <= now_ns < p.close_ns else 0
        known = s.candidate if np.isnan(s.last_sale) else s.last_sale
        if np.isnan(known):
            if is_anchor:
                s.candidate = x
            continue
        share = p.leverage * shares[np.searchsorted(up_to, known), is_regular]
        beyond = 0
        if x > known * (1.0 + share) * (1.0 + _ROUNDING):
            beyond = 1
        elif x < known * (1.0 - share) * (1.0 - _ROUNDING):
            beyond = -1
        if np.isnan(s.last_sale):
            # Two prices in a row that agree are the first sale: a wrong first print accuses nobody.
            if is_anchor:
                s.candidate = x
                if beyond == 0:
                    s.last_sale = x
            continue
        s.beyond_ns = min(s.beyond_ns, now_ns)  # the clock falls after a wrong stamp
        if beyond != 0 and beyond != s.side:
            s.beyond_ns = now_ns
            if p.in_regular_hours or not is_regular:
                numbers[i].is_beyond = 1
                numbers[i].last_sale = known
                numbers[i].share = share
        elif beyond != 0 and now_ns - s.beyond_ns >= p.new_level_ns and is_anchor:
            beyond = 0
        s.side = beyond
        if beyond == 0 and is_anchor:
            s.last_sale = x
