"""The exchange's days: time zone, and when its auctions are, daylight saving and half days included."""

import warnings
from functools import lru_cache
from textwrap import shorten

import exchange_calendars
import pandas as pd

from services.common.errors import TapewatchError

_DAY_NS = 86_400 * 1_000_000_000


class ExchangeCalendar:
    """One exchange's calendar.

    Parameters
    ----------
    code
        Its market identifier code (ISO 10383), such as `XNAS`.

    Raises
    ------
    TapewatchError
        The exchange has no calendar, or one that cannot be built.
    """

    def __init__(self, code: str) -> None:
        if code not in exchange_calendars.get_calendar_names():
            raise TapewatchError(
                f"The exchange {code!r} is unknown: it has no calendar.",
                "Give its market identifier code, such as XNAS, XNYS or XLON.",
            )
        self._code = code
        try:
            self.time_zone: str = str(_year(code, 2024).tz)
        except Exception as error:  # whatever the library's rules for one exchange run into
            reason = shorten(str(error), 200, placeholder=" …")
            raise TapewatchError(
                f"The calendar of the exchange {code!r} cannot be built: {reason}.",
                "Name an exchange of the same time zone and hours, or update the package exchange-calendars.",
            ) from error

    def auction_times(self, day: str) -> tuple[int, int]:
        """Return a day's opening and closing auction in ns since 1970; (0, 0) if it has none.

        The day is `YYYY-MM-DD`. Holidays have none, nor do days outside the calendar's range, nor do markets
        that trade around the clock.
        """
        calendar = self._with(day)
        if calendar is None:
            return 0, 0
        open_ns, close_ns = calendar.session_open(day).value, calendar.session_close(day).value
        return (0, 0) if close_ns - open_ns >= _DAY_NS else (open_ns, close_ns)

    def is_open(self, at_ns: int) -> bool:
        """Tell whether a time, in ns since 1970, is in regular hours; extended hours are not."""
        at = pd.Timestamp(at_ns, unit="ns", tz="UTC")
        day = str(at.tz_convert(self.time_zone).date())
        calendar = self._with(day)
        return calendar is not None and bool(calendar.session_open(day) <= at < calendar.session_close(day))

    def missing_ns(self, day: str) -> int | None:
        """Return how much shorter a day is than most of its year; None for one without a session."""
        calendar = self._with(day)
        if calendar is None:
            return None
        lengths = calendar.closes - calendar.opens
        return int(lengths.mode().iloc[0].value - lengths[day].value)

    def _with(self, day: str) -> exchange_calendars.ExchangeCalendar | None:
        """Return the calendar of a day's year, None if the day has no session."""
        try:
            calendar = _year(self._code, int(day[:4]))
        except ValueError:
            return None
        # `is_session` rejects the days of a year before its first session.
        return calendar if pd.Timestamp(day) in calendar.sessions else None


@lru_cache(maxsize=64)
def _year(code: str, year: int) -> exchange_calendars.ExchangeCalendar:
    """Return one year of a calendar; its default span moves with the clock, and so would the result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own use of pandas, of which pandas warns
        return _build(code, year)


def _build(code: str, year: int) -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar(
        code, start=pd.Timestamp(year, 1, 1), end=pd.Timestamp(year, 12, 31)
    )
