"""Volume Surge: for two minutes several times the usual volume, by prints or by sizes, and no price move."""

import numpy as np
from numba import njit
from pydantic import Field

from services.detector.detectors.amounts import span_text
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.core.tail import ALERT, median3
from services.detector.detectors.patterns.base import (
    CALENDAR,
    MEASURES,
    QUARTER,
    RECENT,
    PatternDetector,
    PatternParameters,
)
from services.detector.detectors.patterns.time_of_day import UsualRates, quarter_of, usual_activity
from services.detector.detectors.usual_day import quarter_text
from services.detector.engine.batch import PRICE_ELIGIBLE, VOLUME_ELIGIBLE, Batch, SessionKey
from services.detector.engine.record import Record

LEARNT = 2.5
"""The usual volume learns at most so many times itself, so that a surge hardly moves it."""

LEAST_OTHER = 0.4
"""Where prints are many, their sizes are at least so many usual ones; where they are large, their number."""

MOST_SIZED = 10.0
"""So many sizes of a slot count, as a storm or a sweep is no surge."""

BEGUN = 1.25
"""A surge has begun where the volume was last below so many usual ones."""

STATE = np.dtype(
    [
        *((name, "i8") for name in CALENDAR),
        ("first_ns", "i8"),
        ("slot", "i8"),
        ("slot_prints", "f8"),
        ("slot_sized", "f8"),
        ("slot_log", "f8"),
        ("counted_ns", "i8"),
        ("price", "f8", (3,)),
        ("mean_price", "f8"),
        ("usual_move", "f8"),
        ("recent", "f8"),
        ("recent_weight", "f8"),
        ("recent_sized", "f8"),
        ("recent_log", "f8"),
        ("usual", "f8"),
        ("usual_weight", "f8"),
        ("usual_log", "f8"),
        ("usual_sized", "f8"),
        ("rate_ratio", "f8"),
        ("size_ratio", "f8"),
        ("excess", "f8"),
        ("is_surge", "i8"),
        ("from_ns", "i8"),
        ("prints", "i8"),
    ]
)
"""`slot`: number of the present one, and its prints so far, those whose size counts, and the sum of the logs
of their sizes; `price`: the last one of this slot and of the two before. `recent`, `usual`: decaying sums of
the logs of the slots' prints, the latter in units of the time of the day, and their weights. `recent_log`:
decaying sum of the logs of sizes, of `recent_sized` prints; `usual_log`: their mean. `usual_move`: mean
distance of prices from `mean_price`, as a share."""

_MEASURES = np.dtype(
    [
        *MEASURES,
        ("rate_ratio", "f8"),
        ("size_ratio", "f8"),
        ("span_s", "f8"),
        (QUARTER, "i8"),
        (RECENT, "f8"),
    ]
)
"""`rate_ratio` of each print, flagged or not; `RECENT`: mean log of the prints of the last slots, each with
`slot_prints` more; 0 in the session's first slot."""


class VolumeSurgeParameters(PatternParameters):
    """Parameters of `VolumeSurge`."""

    slot_s: float = Field(3.0, gt=0, description="prints are counted over slots of so long")
    window_s: float = Field(30.0, gt=0, description="time in which the present number of prints fades")
    sizes_window_s: float = Field(60.0, gt=0, description="time in which the present sizes fade")
    usual_s: float = Field(1200.0, gt=0, description="time in which the usual volume fades")
    usual_prints: float = Field(4000.0, gt=1, description="prints whose mean log of sizes is the usual one")
    least_ratio: float = Field(3.0, gt=1, description="prints from which it is a surge, in usual ones")
    least_size_ratio: float = Field(
        2.6, gt=1, description="typical size from which it is a surge, in usual ones"
    )
    slot_prints: float = Field(
        3.0, gt=0, description="added to the prints of each slot, so that few of them are no surge"
    )
    most_move: float = Field(4.0, gt=0, description="largest price move, in the session's usual ones")
    apart_s: float = Field(
        0.01,
        ge=0,
        description="sizes of prints so soon after a counted one do not count, as one order is one choice",
    )
    noise: float = Field(
        1.5,
        ge=0,
        description="raises the least size ratio where they are few: by this over the root of their number",
    )
    least_prints: float = Field(40.0, gt=0, description="least sizes within their window for a surge of them")
    least_s: float = Field(20.0, ge=0, description="it must have lasted so long")
    learning_s: float = Field(300.0, ge=0, description="a session is not judged before it has been so long")
    auction_s: float = Field(120.0, ge=0, description="not judged so near to an auction in regular hours")
    outside_s: float = Field(600.0, ge=0, description="not judged so near to an auction outside of them")
    join_s: float = Field(90.0, gt=0, description="a flag so soon after the last is part of the same anomaly")


class VolumeSurge(PatternDetector):
    """Flags prints while the volume is far above the usual one and the price stands."""

    name = "volume_surge"
    parameters = VolumeSurgeParameters
    state = STATE
    measures = _MEASURES

    def __init__(self, context: DetectorContext) -> None:
        super().__init__(context)
        self._usual = UsualRates(context)

    def open(self, slot: int, session: SessionKey) -> None:
        """See `Detector`."""
        super().open(slot, session)
        self._usual.open(slot, session)

    def walk(self, states: np.ndarray, parameters: np.ndarray, batch: Batch, out: np.ndarray) -> None:
        """See `PatternDetector`."""
        usual = self._usual
        _walk(
            states,
            parameters,
            usual.days,
            usual.factors,
            batch.slot,
            batch.event_ns,
            batch.price,
            batch.size,
            batch.eligible,
            out,
        )

    def reason(self, row: Record, price: float) -> str:  # noqa: ARG002 - any print of it says the same
        """See `PatternDetector`."""
        by = "prints" if row["rate_ratio"] >= row["size_ratio"] else "sizes"
        usual, quarter = "the usual volume of this time of the day", row[QUARTER]
        if quarter:
            usual = f"what is usual from {quarter_text(quarter - 1)} to {quarter_text(quarter)}"
        return (
            f"volume surge without a price move: {row['rate_ratio'] * row['size_ratio']:,.2g} times {usual} "
            f"for {span_text(row['span_s'])}, by {by}"
        )


@njit(cache=True)
def _walk(
    states: np.ndarray,
    parameters: np.ndarray,
    days: np.ndarray,
    factors: np.ndarray,
    slot: np.ndarray,
    event_ns: np.ndarray,
    price: np.ndarray,
    size: np.ndarray,
    eligible: np.ndarray,
    out: np.ndarray,
) -> None:
    for i in range(len(slot)):
        s = states[slot[i]]
        p = parameters[slot[i]]
        now_ns = event_ns[i]
        number = np.int64(now_ns / (p.slot_s * SECOND_NS))
        if s.first_ns == 0:
            s.first_ns = s.from_ns = now_ns
            s.slot = number
            s.price[:] = s.mean_price = price[i]
        day = days[slot[i]]
        quarter = quarter_of(day, now_ns)
        if number > s.slot:
            activity = usual_activity(s.open_ns, s.close_ns, now_ns) * factors[day.row, quarter]
            _end_slots(s, p, number - s.slot, activity, day.least_pace * activity * p.slot_s, now_ns)
        s.slot = number  # a clock that is set back after a wrong stamp takes the slot with it
        s.slot_prints += 1.0
        s.prints += 1
        if eligible[i] & PRICE_ELIGIBLE:
            s.price[2] = price[i]
        apart_ns = now_ns - s.counted_ns
        if apart_ns < 0 or apart_ns >= p.apart_s * SECOND_NS:
            s.counted_ns = now_ns
            if eligible[i] & VOLUME_ELIGIBLE and size[i] > 0.0:
                s.slot_sized += 1.0
                s.slot_log += np.log(size[i])
        row = out[i]
        row.rate_ratio = s.rate_ratio
        if s.recent_weight > 0.0:
            row.recent = s.recent / s.recent_weight
        if s.is_surge == 0 or _is_near_auction(s, p, now_ns):
            continue
        row.evidence = ALERT + 3.0 * np.log10(s.excess)
        row.value = max(s.rate_ratio, s.size_ratio)
        row.expected = 1.0
        row.threshold = row.value / s.excess
        row.prints = s.prints
        row.size_ratio = s.size_ratio
        row.span_s = max(now_ns - s.from_ns, 0) / SECOND_NS
        row.quarter = quarter + 1 if day.row > 0 else 0


@njit(cache=True)
def _end_slots(s: Record, p: Record, passed: int, activity: float, least_prints: float, now_ns: int) -> None:
    """Learn from the slot that is over and from the empty ones after it, and judge the time up to now.

    The mean of logs tells a surge, of which every slot has more prints, from a few that have very many.
    """
    fade = np.exp(-p.slot_s / p.window_s)
    slow = np.exp(-p.slot_s / p.usual_s)
    age_s = max(now_ns - s.first_ns, 0) / SECOND_NS
    volume = np.log(s.slot_prints + p.slot_prints)
    usual = s.usual / s.usual_weight if s.usual_weight > 0.0 else volume - np.log(activity)
    s.recent = s.recent * fade + volume
    s.recent_weight = s.recent_weight * fade + 1.0
    most = np.inf if age_s < p.learning_s else np.log(LEARNT)
    s.usual = s.usual * slow + min(volume - np.log(activity), usual + most)
    s.usual_weight = s.usual_weight * slow + 1.0
    sizes_fade = np.exp(-p.slot_s / p.sizes_window_s)
    mean_log = s.slot_log / max(s.slot_sized, 1.0)
    sized = min(s.slot_sized, MOST_SIZED)
    s.recent_sized = (s.recent_sized + sized) * sizes_fade
    s.recent_log = (s.recent_log + sized * mean_log) * sizes_fade
    if passed > 1:
        empty = np.log(p.slot_prints)
        faded = fade ** (passed - 1)
        s.recent = s.recent * faded + empty * (1.0 - faded) / (1.0 - fade)
        s.recent_weight = s.recent_weight * faded + (1.0 - faded) / (1.0 - fade)
        s.recent_sized *= sizes_fade ** (passed - 1)
        s.recent_log *= sizes_fade ** (passed - 1)
        # A silence, or a stamp far ahead, says no more of what is usual than a window does.
        faded = slow ** min(passed - 1, p.window_s / p.slot_s)
        s.usual = s.usual * faded + (empty - np.log(activity)) * (1.0 - faded) / (1.0 - slow)
        s.usual_weight = s.usual_weight * faded + (1.0 - faded) / (1.0 - slow)
    middle = median3(s.price[0], s.price[1], s.price[2])
    move = abs(middle - s.mean_price) / max(abs(s.mean_price), 1e-9)
    move_ratio = move / max(s.usual_move, 1e-9)
    s.mean_price += (middle - s.mean_price) * (1.0 - np.sqrt(fade))
    s.usual_move += (min(move, 4.0 * max(s.usual_move, 1e-5)) - s.usual_move) * (1.0 - slow)
    s.price[0], s.price[1] = s.price[1], s.price[2]
    s.rate_ratio = np.exp(s.recent / s.recent_weight) / max(
        np.exp(usual) * activity, least_prints + p.slot_prints
    )
    typical = s.recent_log / s.recent_sized if s.recent_sized > 0.0 else s.usual_log
    s.size_ratio = np.exp(typical - s.usual_log)
    if sized > 0.0:
        s.usual_sized = min(s.usual_sized + sized, p.usual_prints)
        s.usual_log += min(mean_log - s.usual_log, most) * sized / s.usual_sized
    s.slot_prints = s.slot_sized = s.slot_log = 0.0
    few = 1.0 + p.noise / np.sqrt(max(s.recent_sized, 1.0))
    sizes = s.size_ratio / p.least_size_ratio / few if s.recent_sized >= p.least_prints else 0.0
    s.excess = max(s.rate_ratio / p.least_ratio, sizes)
    if max(s.rate_ratio, s.size_ratio / few) < BEGUN:
        s.from_ns = now_ns
        s.prints = 0
    s.is_surge = (
        s.excess >= 1.0
        and min(s.rate_ratio, s.size_ratio) >= LEAST_OTHER
        and move_ratio <= p.most_move
        and age_s >= p.learning_s
        and now_ns - s.from_ns >= p.least_s * SECOND_NS
    )


@njit(cache=True)
def _is_near_auction(s: Record, p: Record, now_ns: int) -> bool:
    """Tell whether the rate of a time so near to an auction says nothing."""
    if s.close_ns == 0:
        return False
    since_open_s = (now_ns - s.open_ns) / SECOND_NS
    to_close_s = (s.close_ns - now_ns) / SECOND_NS
    return -p.outside_s < since_open_s < p.auction_s or -p.outside_s < to_close_s < p.auction_s
