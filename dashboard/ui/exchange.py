"""The exchange whose days and clock the pages show beside UTC."""

from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo

import pandas as pd

from dashboard.settings import DashboardSettings
from services.common.exchange_calendar import ExchangeCalendar


@dataclass(frozen=True)
class Exchange:
    """An exchange, as far as the pages show it; its sessions are its days, from midnight to midnight."""

    time_zone: str
    """As the IANA database names it, such as `Europe/London`."""

    @property
    def city(self) -> str:
        """Name of its clock, such as `London`."""
        return self.time_zone.rpartition("/")[2].replace("_", " ")

    @property
    def is_utc(self) -> bool:
        """Whether its clock is UTC, which the pages show anyway."""
        return self.time_zone == "UTC"

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone, for single times instead of columns."""
        return ZoneInfo(self.time_zone)

    def local(self, times: pd.Series) -> pd.Series:
        """Return times of any zone as those of the exchange's clock."""
        local: pd.Series = times.dt.tz_convert(self.time_zone)
        return local


@cache
def exchange() -> Exchange:
    """Return the exchange of the setting; the server calls it at its start, so that no visitor waits for it.

    Raises
    ------
    TapewatchError
        The exchange is unknown.
    """
    return Exchange(ExchangeCalendar(DashboardSettings().exchange).time_zone)
