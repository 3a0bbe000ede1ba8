import datetime as dt
from typing import Any

import pytest

from dashboard.server import sessions
from dashboard.server.sessions import SetAside, find_sessions, find_set_aside, same_trades
from dashboard.ui.time_ranges import TimeRange

TODAY = dt.datetime.now(dt.UTC).date()
CLIENT: Any = None


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> dict[dt.date, int]:
    """Days with trades, to be filled in."""
    monkeypatch.delenv("TAPEWATCH_AHEAD_DAYS", raising=False)
    counts: dict[dt.date, int] = {}

    def answer(*_: object) -> dict[str, Any]:
        buckets = [{"key_as_string": str(day), "doc_count": counts[day]} for day in sorted(counts)]
        return {"days": {"buckets": buckets}}

    monkeypatch.setattr(sessions, "aggregate", answer)
    return counts


def before(days: int) -> dt.date:
    return TODAY - dt.timedelta(days=days)


def test_a_day_ahead_of_the_clock_takes_no_real_day_away(days: dict[dt.date, int]) -> None:
    days |= {before(9): 70, before(8): 50, before(-3): 1, dt.date(2126, 6, 5): 2}
    assert find_sessions(CLIENT) == [before(8), before(9)]
    assert find_set_aside(CLIENT) == [SetAside(dt.date(2126, 6, 5), 2), SetAside(before(-3), 1)]


def test_a_print_of_1970_is_no_session(days: dict[dt.date, int]) -> None:
    days |= {dt.date(1970, 1, 1): 3, before(8): 50}
    assert find_sessions(CLIENT) == [before(8)]
    assert find_set_aside(CLIENT) == [SetAside(dt.date(1970, 1, 1), 3)]


def test_where_no_day_can_be_true_all_are_sessions(days: dict[dt.date, int]) -> None:
    days |= {dt.date(2126, 6, 5): 2, dt.date(2126, 6, 4): 1}
    assert find_sessions(CLIENT) == [dt.date(2126, 6, 5), dt.date(2126, 6, 4)]


def test_a_simulated_market_may_be_dated_ahead(
    days: dict[dt.date, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    days |= {before(-3): 7, before(-60): 1}
    monkeypatch.setenv("TAPEWATCH_AHEAD_DAYS", "30")
    assert find_sessions(CLIENT) == [before(-3)]
    assert find_set_aside(CLIENT) == [SetAside(before(-60), 1)]


def test_another_trade_of_a_day_gives_the_days_trades_another_name(days: dict[dt.date, int]) -> None:
    start = dt.datetime(2026, 3, 2, 15, tzinfo=dt.UTC)
    session = TimeRange(start, start + dt.timedelta(hours=1))
    assert same_trades(CLIENT, session) is None
    days |= {dt.date(2026, 3, 2): 7, dt.date(2026, 3, 3): 1}
    name = same_trades(CLIENT, session)
    days[dt.date(2026, 3, 3)] = 2  # another day's
    assert same_trades(CLIENT, session) == name
    days[dt.date(2026, 3, 2)] = 8
    assert same_trades(CLIENT, session) not in (name, None)
