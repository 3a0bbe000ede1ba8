import datetime as dt

import pytest

from dashboard.server import offered
from dashboard.server.answers import Noted
from dashboard.server.offered import Offered, find_offered
from dashboard.server.sessions import SetAside
from dashboard.ui.time_ranges import Period, rolling
from services.common.elastic.client import Elasticsearch

NOON = dt.datetime(2026, 3, 3, 12, tzinfo=dt.UTC)
NEWEST, BEFORE = dt.date(2026, 3, 3), dt.date(2026, 3, 2)
AHEAD = dt.date(2135, 6, 5)


def found(monkeypatch: pytest.MonkeyPatch, sessions: list[dt.date]) -> Offered | None:
    monkeypatch.setattr(offered, "find_sessions", lambda _: sessions)
    monkeypatch.setattr(offered, "last_minutes", lambda *_: rolling(NOON, NOON))
    monkeypatch.setattr(offered, "find_set_aside", lambda _: [SetAside(AHEAD, 1)])
    client = Elasticsearch("http://127.0.0.1:1")
    try:
        return find_offered(client, Noted())
    finally:
        client.close()


def test_the_last_minutes_come_first_and_days_that_are_set_aside_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = found(monkeypatch, [NEWEST, BEFORE])
    assert there is not None
    assert there.newest == Period(NEWEST, NEWEST)
    assert there.choices.index(there.newest) == len(rolling(NOON, NOON))
    assert there.choices[-1] == Period(AHEAD, AHEAD)
    assert Period(BEFORE, BEFORE) in there.choices


def test_without_trades_there_is_nothing_to_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, []) is None
