import datetime as dt

import pytest

from dashboard.settings import DashboardSettings
from dashboard.ui.clock import Clock
from dashboard.ui.exchange import exchange
from dashboard.ui.time_ranges import Period, TimeRange
from services.common.errors import TapewatchError
from services.detector.profiles.profile import Profile

SUMMER_TIME_BEGINS = dt.date(2026, 3, 29)


def test_without_a_setting_it_is_the_exchange_of_a_profile_without_one() -> None:
    assert DashboardSettings.model_fields["exchange"].default == Profile.model_fields["exchange"].default
    assert exchange() == Clock("America/New_York")


@pytest.mark.usefixtures("london")
def test_sessions_of_london_are_londons_days() -> None:
    assert Period(SUMMER_TIME_BEGINS, SUMMER_TIME_BEGINS).time_range == TimeRange(
        dt.datetime(2026, 3, 29, tzinfo=dt.UTC), dt.datetime(2026, 3, 29, 23, tzinfo=dt.UTC)
    )


def test_unknown_exchange_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_EXCHANGE", "NASDAK")
    exchange.cache_clear()
    with pytest.raises(TapewatchError, match="The exchange 'NASDAK' is unknown"):
        exchange()
