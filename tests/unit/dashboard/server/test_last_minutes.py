import datetime as dt

import pytest

from dashboard.server import last_minutes as ranges
from dashboard.server.answers import Noted
from services.common.elastic.client import Elasticsearch

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def test_while_elasticsearch_is_away_the_last_minutes_stay_those_that_were_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Elasticsearch("http://127.0.0.1:1")
    monkeypatch.setattr(ranges, "newest_trade", lambda _: NOON - dt.timedelta(seconds=3))
    quarter, _ = ranges.last_minutes(client, Noted(is_away=True, as_of=NOON))
    assert quarter.end == NOON + dt.timedelta(minutes=1)
    monkeypatch.setattr(ranges, "newest_trade", lambda _: dt.datetime.now(dt.UTC))
    quarter, _ = ranges.last_minutes(client, Noted())
    assert dt.timedelta(0) < quarter.end - dt.datetime.now(dt.UTC) <= dt.timedelta(minutes=1)
    monkeypatch.setattr(ranges, "newest_trade", lambda _: None)
    assert ranges.last_minutes(client, Noted()) == []
    client.close()
