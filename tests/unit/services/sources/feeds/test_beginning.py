import datetime as dt

import pytest

from services.common.errors import TapewatchError
from services.sources.feeds.beginning import beginning
from services.sources.feeds.place import Place
from services.sources.feeds.registry import make_venue

DAY = dt.date(2026, 4, 6)


@pytest.mark.parametrize("feed", ["massive", "massive:minute", "massive:daily", "alpaca:sip"])
def test_a_feed_begins_at_the_days_midnight_where_the_venue_is(feed: str) -> None:
    midnight_ns = int(dt.datetime(2026, 4, 6, 4, tzinfo=dt.UTC).timestamp()) * 10**9
    place = Place(midnight_ns, 0, midnight_ns)
    assert beginning(make_venue(feed, ["AAPL", "MSFT"]), DAY) == {"AAPL": place, "MSFT": place}


@pytest.mark.parametrize(
    ("feed", "symbol"), [("coinbase", "BTC-USD"), ("kraken", "BTC/USD"), ("binance", "BTCUSDT")]
)
def test_a_venue_whose_prints_are_numbered_cannot_begin_in_the_past(feed: str, symbol: str) -> None:
    with pytest.raises(TapewatchError, match="cannot begin in the past"):
        beginning(make_venue(feed, [symbol]), DAY)


def test_not_all_symbols_can_begin_in_the_past() -> None:
    with pytest.raises(TapewatchError, match="symbol by symbol"):
        beginning(make_venue("massive", ["*"]), DAY)
