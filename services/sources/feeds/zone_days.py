"""The days of a time zone, as ids of prints have them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_HOUR_NS = 3_600 * 10**9
_MOST_REMEMBERED = 8_192


class ZoneDays:
    """Days as text; those of an hour are computed once, as no zone's clock changes within one.

    Parameters
    ----------
    zone
        Name of the time zone, whose offset is whole hours.
    """

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self._days: dict[int, str] = {}

    def text(self, time_ns: int) -> str:
        """Return the day of a time in ns since 1970, as `YYYYMMDD`; the time is one from 1970 to 2261."""
        hour = time_ns // _HOUR_NS
        day = self._days.get(hour)
        if day is None:
            if len(self._days) >= _MOST_REMEMBERED:
                self._days.clear()
            moment = datetime.fromtimestamp(hour * 3_600, UTC).astimezone(self.zone)
            day = self._days[hour] = moment.strftime("%Y%m%d")
        return day
