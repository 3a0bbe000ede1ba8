"""What Kibana opens with, by the trades in Elasticsearch; in a year of which no other test has trades."""

import datetime as dt
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch, helpers

from infra.embedded.stack import EmbeddedStack
from infra.kibana.objects.saved_object import RECENT, TimeRange
from infra.kibana.opening import opening_times
from infra.setup.templates import set_up_templates
from services.common.elastic.client import new_client
from services.contracts.iso_time import iso_utc

INDEX = "trades-kibana-opening"
NOW = dt.datetime(1975, 6, 10, 12, 30, tzinfo=dt.UTC)
SESSION = TimeRange("1975-06-04T08:00:00.000Z", "1975-06-05T00:00:00.000Z")


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as client:
        set_up_templates(client)
        client.indices.create(index=INDEX)
        yield client
        client.indices.delete(index=INDEX)


def trade(client: Elasticsearch, first: str, minutes: int, prints: int) -> None:
    """Index so many trades, as many minutes apart."""
    start = dt.datetime.fromisoformat(first).replace(tzinfo=dt.UTC)
    times = [start + dt.timedelta(minutes=minutes * at) for at in range(prints)]
    actions = [
        {"_index": INDEX, "_source": {"@timestamp": iso_utc(time), "symbol": "OPEN"}} for time in times
    ]
    helpers.bulk(client, actions, refresh=True)


def trade_new_yorks_day(client: Elasticsearch) -> None:
    trade(client, "1975-06-04T08:03", 2, 476)
    trade(client, "1975-06-03T08:03", 2, 476)


def test_without_trades_it_is_the_last_hours(client: Elasticsearch) -> None:
    assert opening_times(client, NOW) == RECENT


def test_old_days_open_with_the_newest_session(client: Elasticsearch) -> None:
    trade_new_yorks_day(client)
    assert opening_times(client, NOW) == SESSION


def test_a_running_tape_opens_with_the_last_hours(client: Elasticsearch) -> None:
    trade_new_yorks_day(client)
    assert opening_times(client, dt.datetime(1975, 6, 5, 9, tzinfo=dt.UTC)) == RECENT


@pytest.mark.parametrize(
    "stray", ["1975-06-10T12:31", "2199-01-01T00:00", "1975-06-08T10:00", "1975-06-04T01:00"]
)
def test_prints_with_a_wrong_date_decide_nothing(client: Elasticsearch, stray: str) -> None:
    trade_new_yorks_day(client)
    trade(client, stray, 1, 9)
    assert opening_times(client, NOW) == SESSION


def test_a_session_that_crosses_midnight_in_utc_is_one(client: Elasticsearch) -> None:
    trade(client, "1975-01-02T09:00", 2, 480)
    assert opening_times(client, NOW) == TimeRange("1975-01-02T09:00:00.000Z", "1975-01-03T01:00:00.000Z")


def test_of_a_market_that_never_closes_it_is_a_day(client: Elasticsearch) -> None:
    trade(client, "1975-06-01T00:00", 5, 3 * 288)
    assert opening_times(client, NOW) == TimeRange("1975-06-03T00:00:00.000Z", "1975-06-04T00:00:00.000Z")


def test_a_market_of_few_trades_opens_with_them(client: Elasticsearch) -> None:
    trade(client, "1975-06-04T14:10", 60, 3)
    assert opening_times(client, NOW) == TimeRange("1975-06-04T14:00:00.000Z", "1975-06-04T17:00:00.000Z")
