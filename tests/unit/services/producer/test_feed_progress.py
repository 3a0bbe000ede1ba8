"""The records of feeds whose names begin alike."""

import msgspec
import pytest

from services.common.errors import TapewatchError
from services.contracts.correction import Correction
from services.producer.feed_progress import (
    FeedRecord,
    SymbolRecord,
    WaitingRecord,
    feed_key,
    feed_progress,
    symbol_key,
    waiting_key,
)
from services.sources.feeds.messages import HistoryRequest, ReferringCorrection
from services.sources.feeds.place import Place


def records(feed: str, **times_ns: int) -> dict[bytes, bytes | None]:
    found: dict[bytes, bytes | None] = {feed_key(feed): msgspec.json.encode(FeedRecord(feed, "me", 7))}
    for symbol, time_ns in times_ns.items():
        found[symbol_key(feed, symbol)] = msgspec.json.encode(SymbolRecord(symbol, Place(time_ns)))
    return found


def test_a_feed_is_not_taken_for_another_whose_name_it_begins() -> None:
    both = records("massive", AAPL=1, MSFT=2) | records("massive:delayed", AAPL=3, TSLA=4)
    progress = feed_progress("massive", both)
    assert progress.feed == FeedRecord("massive", "me", 7)
    assert progress.places == {"AAPL": Place(1), "MSFT": Place(2)}
    delayed = {key: value for key, value in both.items() if key.startswith(feed_key("massive:delayed"))}
    assert feed_progress("massive:delayed", delayed).places == {"AAPL": Place(3), "TSLA": Place(4)}


def test_a_feed_that_was_never_published_has_no_progress() -> None:
    progress = feed_progress("massive", records("massive:delayed", AAPL=3))
    assert progress.feed == FeedRecord("massive")
    assert not progress.places
    assert not feed_progress("massive", {symbol_key("massive", "AAPL"): None}).places


def test_a_record_of_another_version_is_an_error() -> None:
    with pytest.raises(TapewatchError, match="cannot be read"):
        feed_progress("massive", {symbol_key("massive", "AAPL"): b'{"symbol":"AAPL","place":7}'})


def test_corrections_that_wait_are_those_of_this_feed() -> None:
    correction = Correction("2026-04-06T14:31:00Z", "a-c1", None, "AAPL", "cancel", "alpaca")
    lookup = HistoryRequest("AAPL", "/past", ["/past", "a", True])
    waiting = ReferringCorrection(correction, "a", None, lookup, b"\xff raw")
    stored = msgspec.json.encode(WaitingRecord("alpaca:iex", (waiting,)))
    found = feed_progress("alpaca:iex", records("alpaca:iex", AAPL=1) | {waiting_key("alpaca:iex"): stored})
    assert found.waiting == (waiting,)
    assert found.places == {"AAPL": Place(1)}
    assert feed_progress("alpaca:iex", records("alpaca:iex")).waiting == ()
