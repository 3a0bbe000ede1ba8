"""Would-Be LULD Band: a price beyond the band that the limit up-limit down plan would have set.

"Would-be", as the plan's bands come from the consolidated tape, and a session here is one venue's.
"""

import math
from typing import Literal
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
from services.detector.detectors.rulebook.listings import Listing, Listings
from services.detector.detectors.rulebook.tables import LuldBand, luld_table
from services.detector.detectors.rulebook.times import clock_text, percent_text
from services.detector.detectors.scheduled.auction_cross import AuctionCrossParameters
from services.detector.detectors.serialize import one_record
from services.detector.engine.batch import (
    ANCHOR_ELIGIBLE,
    PRICE_ELIGIBLE,
    SIDE_CODES,
    VOLUME_ELIGIBLE,
    Batch,
    SessionKey,
)
from services.detector.engine.record import Record
from services.detector.engine.slots import grown

_BUCKETS = 60
"""Parts of the window that the reference is the mean of: what is older leaves it part by part."""

_HIDDEN = SIDE_CODES["N"]
_ROUNDING = 1e-9
"""A price at the limit is not beyond it, whatever the last bits of the band are."""

_STATE = np.dtype(
    [
        ("candidate", "f8"),  # NaN without one, like the reference
        ("reference", "f8"),
        ("reference_ns", "i8"),
        ("side", "i8"),  # on which side of the band the last price was: 1 above, -1 below
        ("beyond_ns", "i8"),  # since when
        ("shares", "f8"),
        ("trades", "i8"),
        ("bucket", "i8", (_BUCKETS,)),  # number of its part of the day
        ("bucket_sum", "f8", (_BUCKETS,)),
        ("bucket_trades", "i8", (_BUCKETS,)),
    ],
    align=True,
)

_TERMS = np.dtype(
    [
        ("open_ns", "i8"),
        ("close_ns", "i8"),
        ("share", "f8"),  # 0 where nothing is judged
        ("amount", "f8"),
        ("doubled_ns", "i8"),  # from when the band is doubled
        ("cross_ratio", "f8"),
        ("cross_ns", "i8"),
    ],
    align=True,
)
"""What holds for a session from its start: the plan, the calendar and the profile."""

_NUMBERS = np.dtype(
    [("event", "i8"), ("reference", "f8"), ("width", "f8"), ("limit", "f8")],
    align=True,
)
"""Of each trade: 0 within the band or not judged, 1 the first beyond it, 2 beyond it for the limit state."""

_PAUSE = 2


class LuldBandParameters(Parameters):
    """Parameters of `LuldBandDetector`."""

    tier: Literal[1, 2] | None = Field(None, description="the stock's tier in the plan, 1 or 2")
    previous_close: float | None = Field(None, gt=0, description="the close of the day before, in dollars")
    listings: Listings | None = Field(
        None,
        description="CSV with `symbol`, `tier`, `previous_close` and perhaps `day`, for what is not set",
    )
    leverage: float = Field(
        1.0, gt=0, description="how many times a leveraged product moves its index: tier 2 is so much wider"
    )


class LuldBandDetector(Detector):
    """Flags prices beyond the band around the mean of five minutes, in regular hours."""

    name = "luld_band"
    parameters = LuldBandParameters
    state_schema = str(_STATE.descr)

    def __init__(self, context: DetectorContext) -> None:
        self._parameters_of = context.parameters_of(self.name, LuldBandParameters)
        self._cross_of = context.parameters_of("auction_cross", AuctionCrossParameters)
        self._auction_times = context.auction_times
        self._zone = ZoneInfo(context.time_zone)
        self._table = luld_table()
        self._states = np.zeros(0, _STATE)
        self._terms = np.zeros(0, _TERMS)
        self._bands: dict[int, tuple[int, LuldBand] | None] = {}

    @property
    def state_store(self) -> StateStore:
        """See `Detector`."""
        return self

    def cannot_judge(self, session: SessionKey) -> str | None:
        """See `Detector`."""
        if self._listing(session) is not None:
            return None
        return "the profile has no tier and no previous close for it, nor has a file of `listings`"

    def _listing(self, session: SessionKey) -> Listing | None:
        p = self._parameters_of(session.symbol)
        listed = p.listings.find(session.symbol, session.day) if p.listings else None
        tier = p.tier or (listed and listed.tier)
        close = p.previous_close or (listed and listed.previous_close)
        return Listing(tier, close) if tier and close else None

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        self._states = grown(self._states, slot)
        self._terms = grown(self._terms, slot)
        state = np.zeros((), _STATE)
        state["candidate"] = state["reference"] = np.nan
        self._states[slot] = state
        terms = np.zeros((), _TERMS)
        listing = self._listing(session)
        self._bands[slot] = None
        if listing is not None and session.day:
            band = self._table.band_of(*listing)
            leverage = self._parameters_of(session.symbol).leverage if listing.tier == 2 else 1.0
            terms["open_ns"], terms["close_ns"] = self._auction_times(session.day)
            terms["share"] = band.share * leverage
            terms["amount"] = math.inf if band.amount is None else band.amount
            minutes = self._table.doubled_minutes if band.doubled else 0
            terms["doubled_ns"] = terms["close_ns"] - minutes * 60 * SECOND_NS
            cross = self._cross_of(session.symbol)
            terms["cross_ratio"] = cross.least_ratio
            terms["cross_ns"] = int(cross.window_s * SECOND_NS)
            self._bands[slot] = (listing.tier, band)
        self._terms[slot] = terms

    def save(self, slot: int) -> bytes:
        """See `StateStore`."""
        return self._states[slot].tobytes()

    def restore(self, slot: int, saved: bytes) -> None:
        """See `StateStore`."""
        self._states[slot] = one_record(saved, _STATE)

    def flag(self, batch: Batch) -> Flags:
        """See `Detector`; value, expected and threshold are prices: the trade's, the reference, the limit."""
        table = self._table
        numbers = np.zeros(len(batch), _NUMBERS)
        _judge(
            self._states,
            self._terms,
            batch.slot,
            batch.event_ns,
            batch.price,
            batch.size,
            batch.side,
            batch.eligible,
            table.window_s * SECOND_NS // _BUCKETS,
            table.step_share,
            table.least_effect_s * SECOND_NS,
            table.limit_state_s * SECOND_NS,
            numbers,
        )
        at = np.flatnonzero(numbers["event"])
        found = numbers[at]
        distance = batch.price[at] - found["reference"]
        rules = [
            Rule(reference, width / reference, limit)
            for reference, width, limit in zip(
                found["reference"].tolist(), found["width"].tolist(), found["limit"].tolist(), strict=True
            )
        ]
        return Flags(
            at=at,
            score=score_beyond(np.abs(distance), found["width"]),
            value=batch.price[at],
            expected=found["reference"],
            threshold=found["limit"],
            reasons=[
                self._reason(slot, now_ns, price, rule, event)
                for slot, now_ns, price, rule, event in zip(
                    batch.slot[at].tolist(),
                    batch.event_ns[at].tolist(),
                    batch.price[at].tolist(),
                    rules,
                    found["event"].tolist(),
                    strict=True,
                )
            ],
            contributions={"luld_distance": np.ones(len(at))},
            features={"luld_distance": distance / found["reference"]},
            rules=rules,
        )

    def _reason(self, slot: int, now_ns: int, price: float, rule: Rule, event: int) -> str:
        tier, band = self._bands[slot] or (0, None)
        is_doubled = band is not None and band.doubled and now_ns >= self._terms[slot]["doubled_ns"]
        width = f"tier {tier}, {percent_text(float(f'{rule.band:.4g}'))} of the five-minute reference "
        width += f"{rule.reference:,.6g}" + (", doubled before the close" if is_doubled else "")
        side = "above" if price > rule.reference else "below"
        limit = f"the would-be LULD limit of {rule.limit:,.6g} ({width})"
        if event == _PAUSE:
            until = clock_text(now_ns + self._table.pause_s * SECOND_NS, self._zone)
            return (
                f"prices have stayed {side} {limit} for {self._table.limit_state_s} seconds, now at "
                f"{price:,.10g}: trading would pause until {until}"
            )
        return f"price {price:,.10g} is {distance_text(price, rule.limit)} {side} {limit}"


@njit(cache=True)
def _judge(
    states: np.ndarray,
    all_terms: np.ndarray,
    slot: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    side: np.ndarray,
    eligible: np.ndarray,
    bucket_ns: int,
    step_share: float,
    least_effect_ns: int,
    limit_state_ns: int,
    numbers: np.ndarray,
) -> None:
    """Judge each trade by what came before it, and let it move its session's reference."""
    for i in range(len(slot)):
        s = states[slot[i]]
        p = all_terms[slot[i]]
        now_ns = event_ns[i]
        if p.share == 0.0 or not p.open_ns <= now_ns < p.close_ns:
            continue
        is_cross = False
        if eligible[i] & VOLUME_ELIGIBLE:
            is_cross = (
                side[i] == _HIDDEN
                and now_ns - p.open_ns < p.cross_ns
                and s.trades > 0
                and size[i] >= p.cross_ratio * s.shares / s.trades
            )
            s.shares += size[i]
            s.trades += 1
        x = price[i]
        if is_cross or not eligible[i] & PRICE_ELIGIBLE or x <= 0.0:
            continue
        is_anchor = eligible[i] & ANCHOR_ELIGIBLE != 0
        if np.isnan(s.reference):
            if is_anchor:
                _start(s, p, now_ns, x, bucket_ns)
            continue
        # The clock falls where the trade before had a wrong stamp.
        s.reference_ns = min(s.reference_ns, now_ns)
        s.beyond_ns = min(s.beyond_ns, now_ns)
        mean = _mean(s, now_ns // bucket_ns)
        # Bands stand still while prices are beyond one, as they do in the plan's limit state.
        is_due = s.side == 0 and now_ns - s.reference_ns >= least_effect_ns
        if is_due and abs(mean - s.reference) >= step_share * s.reference:
            s.reference = mean
            s.reference_ns = now_ns
        width = _width(p, s.reference, now_ns)
        lower = max(s.reference - width, 0.0)
        upper = s.reference + width
        beyond = 0
        if x > upper * (1.0 + _ROUNDING):
            beyond = 1
        elif x < lower * (1.0 - _ROUNDING):
            beyond = -1
        event = 0
        if beyond != 0 and beyond != s.side:
            event = 1
            s.beyond_ns = now_ns
        elif beyond != 0 and now_ns - s.beyond_ns >= limit_state_ns:
            event = _PAUSE
        s.side = beyond
        if event != 0:
            numbers[i].event = event
            numbers[i].reference = s.reference
            numbers[i].width = width
            numbers[i].limit = upper if beyond > 0 else lower
        if event == _PAUSE:
            # As after a pause: the reference starts again from the prices that follow.
            s.reference = np.nan
            s.candidate = x
            s.side = 0
            s.bucket_trades[:] = 0
        elif is_anchor:
            # No trade can be beyond a limit of the plan's, so one that is counts as one at it.
            _add(s, now_ns // bucket_ns, min(max(x, lower), upper))


@njit(cache=True)
def _start(s: Record, p: Record, now_ns: int, x: float, bucket_ns: int) -> None:
    """Set the first reference when two prices in a row agree, so that a wrong first print sets none."""
    if not np.isnan(s.candidate) and abs(x - s.candidate) <= _width(p, s.candidate, now_ns):
        s.reference = 0.5 * (s.candidate + x)
        s.reference_ns = now_ns
        _add(s, now_ns // bucket_ns, s.candidate)
        _add(s, now_ns // bucket_ns, x)
    s.candidate = x


@njit(cache=True)
def _width(p: Record, reference: float, now_ns: int) -> float:
    """Return how far from a reference a price may be."""
    width = min(p.share * reference, p.amount)
    return 2.0 * width if now_ns >= p.doubled_ns else width


@njit(cache=True)
def _mean(s: Record, number: int) -> float:
    """Return the mean price of the window that ends with the part of this number; else the reference."""
    total = 0.0
    trades = 0
    for j in range(_BUCKETS):
        if s.bucket_trades[j] > 0 and 0 <= number - s.bucket[j] < _BUCKETS:
            total += s.bucket_sum[j]
            trades += s.bucket_trades[j]
    return total / trades if trades > 0 else s.reference


@njit(cache=True)
def _add(s: Record, number: int, x: float) -> None:
    """Add a price to the part of the window of this number."""
    j = number % _BUCKETS
    if s.bucket[j] != number or s.bucket_trades[j] == 0:
        s.bucket[j] = number
        s.bucket_sum[j] = 0.0
        s.bucket_trades[j] = 0
    s.bucket_sum[j] += x
    s.bucket_trades[j] += 1
