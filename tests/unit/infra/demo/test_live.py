import pytest

from infra.demo.live import describe, parse_live, why_not_connected
from infra.demo.progress import PipelineState
from services.common.errors import TapewatchError
from services.common.observability.samples import to_samples
from services.sources.feeds.health import feeds_health
from services.sources.feeds.session import CANNOT_CONNECT, CONNECTED


def test_a_live_feed_is_a_venue_and_symbols() -> None:
    feed = parse_live("coinbase:BTC-USD, ETH-USD", None, None, None)
    assert (feed.venue, feed.symbols) == ("coinbase", ("BTC-USD", "ETH-USD"))
    assert feed.command == ["feed", "coinbase", "--symbols", "BTC-USD,ETH-USD"]
    assert (feed.profile, feed.exchange) == ("crypto", "24/7")


def test_options_reach_the_feed() -> None:
    feed = parse_live("coinbase:BTC-USD", "ws://127.0.0.1:1", "http://127.0.0.1:1", 60.0)
    urls = ["--url", "ws://127.0.0.1:1", "--rest-url", "http://127.0.0.1:1"]
    assert feed.command[4:] == [*urls, "--duration", "60.0"]


@pytest.mark.parametrize("text", ["coinbase", "coinbase:", ":BTC-USD", "coinbase: ,"])
def test_half_of_it_is_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(TapewatchError, match="does not name a venue and its symbols") as caught:
        parse_live(text, None, None, None)
    assert "coinbase:BTC-USD,ETH-USD" in caught.value.hint


def test_an_unknown_venue_is_found_before_anything_starts() -> None:
    with pytest.raises(TapewatchError, match="There is no feed 'bourse'"):
        parse_live("bourse:A", None, None, None).check()


def test_a_feed_that_is_away_says_no_age_of_its_last_record() -> None:
    scraped = (
        'tapewatch_feed_connected{venue="coinbase"} 0.0\n'
        'tapewatch_feed_reconnects_total{venue="coinbase",reason="closed"} 1.0\n'
    )
    (state,) = feeds_health(to_samples(scraped))
    assert describe(state) == "not connected · 1 reconnect · gaps 0 open, 0 filled, 0 lost"


def test_the_reason_why_a_venue_cannot_be_reached_is_that_of_the_last_try_until_one_succeeds() -> None:
    refused = {"event": CANNOT_CONNECT, "reason": "connection refused"}
    busy = {"event": CANNOT_CONNECT, "reason": "HTTP 503"}
    connected = {"event": CONNECTED}
    assert why_not_connected([{"event": "metrics"}]) == ""
    assert why_not_connected([connected, refused, busy]) == "HTTP 503"
    assert why_not_connected([refused, connected]) == ""


def test_trades_that_are_known_exactly_keep_the_lags() -> None:
    state = PipelineState(trades=120, detected=110, trades_indexed=100).counting(90)
    assert (state.trades, state.detected, state.trades_indexed) == (90, 80, 70)
    assert state.detector_lag == 10
