import datetime as dt
import re

from dashboard.pages.overview.freshness import Arrival, Arrivals, describe
from dashboard.server.indexed_data import Documents, IndexedData

NOW = dt.datetime(2026, 3, 2, 15, 0, tzinfo=dt.UTC)


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def test_an_arrival_is_when_there_are_more_trades_than_before() -> None:
    arrivals = Arrivals()
    assert arrivals.note(100, NOW) == Arrival(0, NOW)
    assert arrivals.note(107, after(5)) == Arrival(7, after(5))
    assert arrivals.note(107, after(10)) == Arrival(7, after(5))


def test_fewer_trades_are_no_arrival_but_more_after_them_are() -> None:
    arrivals = Arrivals()
    arrivals.note(100, NOW)
    assert arrivals.note(40, after(5)) == Arrival(0, NOW)
    assert arrivals.note(41, after(10)) == Arrival(1, after(10))


def test_newest_events_are_shown_in_both_time_zones_and_with_their_age() -> None:
    indexed = IndexedData(Documents(1200, after(-3)), Documents(7, after(-90)), after(-80))
    markdown = describe(indexed, Arrival(1200, after(-2)), NOW)
    text = markdown.replace("\\:", ":")
    assert "Newest trade 2026-03-02 14:59:57 UTC (09:59:57 New York), 3 s ago" in text
    assert "last indexed 2 s ago (1,200 trades)" in text
    assert "newest anomaly 2026-03-02 14:58:30 UTC (09:58:30 New York)" in text
    assert "last detected 80 s ago" in text
    assert not re.search(":[0-9]+:", markdown), "the browser would fetch the emojis"


def test_missing_parts_are_left_out() -> None:
    text = describe(IndexedData(Documents(0, None), Documents(0, None), None), Arrival(0, after(-600)), NOW)
    assert text == "nothing new indexed in the last 10 min"
