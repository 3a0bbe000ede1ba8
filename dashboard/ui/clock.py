"""A clock: how times of one time zone are named and written."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pandas as pd


@dataclass(frozen=True)
class Clock:
    """The clock of a time zone."""

    time_zone: str
    """As the IANA database names it, such as `Europe/London`."""

    @property
    def city(self) -> str:
        """Its name, such as `London`."""
        return self.time_zone.rpartition("/")[2].replace("_", " ")

    @property
    def heading(self) -> str:
        """Heading of a column of times, such as `Time (London)`."""
        return f"Time ({self.city})"

    @property
    def is_utc(self) -> bool:
        """Whether it is UTC."""
        return self.time_zone == "UTC"

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone, for single times instead of columns."""
        return ZoneInfo(self.time_zone)

    def local(self, times: pd.Series) -> pd.Series:
        """Return times of any zone as those of this clock."""
        local: pd.Series = times.dt.tz_convert(self.time_zone)
        return local


UTC_CLOCK = Clock("UTC")
