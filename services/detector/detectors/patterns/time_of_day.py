"""How busy a session usually is at each time of the day.

Without a usual day in the profile: with the hours before noon as the unit, measured on days of one liquid
share. That only has to be right within a factor of two, as rates are compared with the session's own rate of
the minutes before, told in this unit.

A usual day of the profile says what each quarter of an hour has. Within the quarter its moments lie as above,
so that the minutes around the auctions keep their shape.
"""

import datetime as dt
from math import exp
from zoneinfo import ZoneInfo

import numpy as np
from numba import njit

from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.state import SECOND_NS
from services.detector.detectors.usual_day import QUARTERS, UsualDay
from services.detector.engine.batch import SessionKey
from services.detector.engine.record import Record
from services.detector.engine.slots import grown

MINUTE_NS = 60 * SECOND_NS
QUARTER_NS = 15 * MINUTE_NS

STEP_S = 5
"""The curve within a quarter of an hour is added up in such steps."""

LEAST_SHARE = 2e-4
"""A quarter of an hour has at least this share of a usual day: a print where none is usual is no busy day."""

LAST_QUARTERS = 4
"""On a half day, so many quarters before its close are those before the usual close, and all that follow."""

DAY = np.dtype([("start_ns", "i8"), ("row", "i8"), ("least_pace", "f8")])
"""A session: its midnight by the exchange's clock, the row of its factors (0: none are known), and the least
pace that is taken for usual: 1 where the profile has a usual day's moments, 0 else."""


class UsualRates:
    """What the profile's usual days make of the usual activity, for sessions by slot.

    Parameters
    ----------
    context
        Provides usual days and the calendar.
    """

    def __init__(self, context: DetectorContext) -> None:
        self._context = context
        self._rows: dict[tuple[float, ...], int] = {}
        self.days = np.zeros(0, DAY)
        """`DAY` by slot."""
        self.factors = np.ones((1, QUARTERS))
        """Of each row, what the activity of a quarter of an hour is multiplied by."""

    def open(self, slot: int, session: SessionKey) -> None:
        """Start a new session in a slot."""
        self.days = grown(self.days, slot)
        self.days[slot] = np.zeros((), DAY)
        usual = self._context.usual_day_of(session.symbol)
        if usual is None or not (usual.curve or usual.moments) or not session.day:
            return
        start_ns = midnight_ns(session.day, self._context.time_zone)
        row = self._row(usual, session.day, start_ns)
        self.days[slot] = (start_ns, row, 0.0 if usual.moments is None else 1.0)

    def _row(self, usual: UsualDay, day: str, start_ns: int) -> int:
        open_ns, close_ns = self._context.auction_times(day)
        if close_ns:
            open_ns, close_ns = open_ns - start_ns, close_ns - start_ns
        shift = (self._context.missing_ns(day) or 0) // QUARTER_NS
        key = (*usual.curve, usual.moments or 0.0, open_ns, close_ns, shift)
        if key not in self._rows:
            row = self._rows[key] = len(self._rows) + 1
            self.factors = grown(self.factors, row)
            self.factors[row] = _factors(usual, open_ns, close_ns, shift)
        return self._rows[key]


def _factors(usual: UsualDay, open_ns: int, close_ns: int, shift: int) -> np.ndarray:
    """Return the factors of a day whose last quarters of an hour are `shift` later on a usual one.

    Its auctions count from midnight.
    """
    activity = _activity_of_quarters(open_ns, close_ns)
    curve = np.array(usual.curve) if usual.curve else activity / activity.sum()
    quarters = np.arange(QUARTERS)
    if usual.curve and close_ns:
        quarters[quarters >= close_ns // QUARTER_NS - LAST_QUARTERS] += shift
    shares = np.maximum(curve[np.clip(quarters, 0, QUARTERS - 1)], LEAST_SHARE)
    factors: np.ndarray = shares * (usual.moments or 1.0) / activity
    return factors


@njit(cache=True)
def _activity_of_quarters(open_ns: int, close_ns: int) -> np.ndarray:
    """Add up the usual activity of each quarter of an hour, over its seconds; times count from midnight."""
    total = np.zeros(QUARTERS)
    for step in range(QUARTERS * 900 // STEP_S):
        middle_ns = int((step + 0.5) * STEP_S * SECOND_NS)
        total[step * STEP_S // 900] += STEP_S * usual_activity(open_ns, close_ns, middle_ns)
    return total


def midnight_ns(day: str, time_zone: str) -> int:
    """Return 12 hours before noon of a day, `YYYY-MM-DD`, in ns since 1970, as clocks change at night."""
    noon = dt.datetime.fromisoformat(day).replace(hour=12, tzinfo=ZoneInfo(time_zone))
    return int(noon.timestamp()) * SECOND_NS - QUARTERS // 2 * QUARTER_NS


@njit(cache=True)
def count_moments(
    event_ns: np.ndarray, start_ns: int, apart_ns: int, last_ns: int, moments: np.ndarray
) -> int:
    """Count trades that come `apart_ns` and more after the last one counted, by quarter of an hour.

    Parameters
    ----------
    event_ns
        Their times, ns since 1970, shape (n,).
    start_ns
        The day's midnight by the exchange's clock.
    apart_ns
        Trades so soon after the one counted last belong to its moment.
    last_ns
        Time of the one counted last.
    moments
        The counts, shape (96,); they are added to.

    Returns
    -------
    int
        Time of the one counted last.
    """
    for now_ns in event_ns:
        if 0 <= now_ns - last_ns < apart_ns:
            continue
        last_ns = now_ns
        moments[min(max((now_ns - start_ns) // QUARTER_NS, 0), QUARTERS - 1)] += 1
    return last_ns


@njit(cache=True)
def quarter_of(day: Record, now_ns: int) -> int:
    """Return the quarter of an hour of a session's day, from 0 at midnight."""
    return min(max((now_ns - day.start_ns) // QUARTER_NS, 0), QUARTERS - 1)


@njit(cache=True)
def usual_activity(open_ns: int, close_ns: int, now_ns: int) -> float:
    """Return the usual rate of prints at a time of a session with these auctions, 0 for none.

    A steep fall after the open, a flat day, more from ten minutes before the close, when imbalances are told,
    a last minute of its own, and little outside regular hours.
    """
    if close_ns == 0:
        return 1.0
    since_open = (now_ns - open_ns) / MINUTE_NS
    to_close = (close_ns - now_ns) / MINUTE_NS
    if since_open < 0.0:
        return 0.1 + 0.4 * exp(since_open / 20.0)
    if to_close < 0.0:
        return 0.03 + 0.4 * exp(to_close / 5.0)
    usual = 1.0 + 4.5 * exp(-since_open / 30.0) + 9.0 * exp(-since_open) + 11.0 * exp(-2.0 * to_close)
    return usual + (3.3 if to_close < 10.0 else 0.4 if to_close < 30.0 else 0.0)
