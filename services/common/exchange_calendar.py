"""The exchange's days: time zone, and when its auctions are, daylight saving and half days included."""

import warnings
from functools import lru_cache
from textwrap import shorten

import exchange_calendars
import pandas as pd

from services.common.errors import TapewatchError


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

        The day is `YYYY-MM-DD`. Holidays have none, nor do days outside the calendar's range.
        """
        try:
            calendar = _year(self._code, int(day[:4]))
        except ValueError:
            return 0, 0
        # `is_session` rejects the days of a year before its first session.
        if pd.Timestamp(day) not in calendar.sessions:
            return 0, 0
        return calendar.session_open(day).value, calendar.session_close(day).value


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
