"""The exchange whose days are the sessions; its clock is one of those that can be chosen."""

from functools import cache

from dashboard.settings import DashboardSettings
from dashboard.ui.clock import Clock
from services.common.exchange_calendar import ExchangeCalendar


@cache
def exchange() -> Clock:
    """Return the clock of the setting's exchange; the server calls it at its start, so that no visitor waits.

    Raises
    ------
    TapewatchError
        The exchange is unknown.
    """
    return Clock(ExchangeCalendar(DashboardSettings().exchange).time_zone)
