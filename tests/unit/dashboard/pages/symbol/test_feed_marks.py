import datetime as dt
from typing import Any

import pytest

from dashboard.pages.symbol.feed_marks import FeedMarkKind, feed_marks
from tests.unit.dashboard.answers import RANGE

NOW = RANGE.start + dt.timedelta(minutes=60)


def event(minute: float, name: str, symbol: str | None = None, **fields: object) -> dict[str, Any]:
    at = RANGE.start + dt.timedelta(minutes=minute)
    return {"@timestamp": at.isoformat(), "venue": "alpaca:iex", "event": name, "symbol": symbol} | fields


def found(*events: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Return kind, start and end of each mark, in minutes of the range."""
    marks = feed_marks(events, ["alpaca"], RANGE, NOW)
    minutes = [(marks[name] - RANGE.start).dt.total_seconds() / 60 for name in ("start", "end")]
    return list(zip(marks["kind"], *minutes, strict=True))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event(5, "lost"), event(7, "connected")], ("Feed not connected", 5, 7)),
        ([event(5, "silent"), event(6, "lost"), event(7, "connected")], ("Feed not connected", 5, 7)),
        ([event(5, "lost")], ("Feed not connected", 5, 60)),
        ([event(5, "halt", "A"), event(10, "resume", "A")], ("Trading halted", 5, 10)),
        ([event(5, "halt", "A"), event(10, "resume", "B")], ("Trading halted", 5, 60)),
        ([event(5, "gap_opened", "A"), event(6, "gap_filled", "A")], ("Gap filled", 5, 5)),
        (
            [event(5, "gap_opened", "A"), event(6, "gap_lost", "A", **{"from": 3, "to": 9})],
            ("Prints lost", 5, 6),
        ),
        ([event(5, "gap_opened", "A")], ("Gap being filled", 5, 60)),
        ([event(5, "slow_reader")], ("Reader too slow", 5, 5)),
        ([event(-9, "lost"), event(7, "connected")], ("Feed not connected", 0, 7)),
    ],
)
def test_what_begins_lasts_until_it_ends(
    events: list[dict[str, Any]], expected: tuple[str, float, float]
) -> None:
    assert found(*events) == [expected]


def test_prints_that_were_lost_lie_where_the_event_says() -> None:
    ends = {name: event(minute, "")["@timestamp"] for name, minute in (("from", 2), ("to", 4))}
    assert found(event(30, "gap_lost", "A", **ends)) == [("Prints lost", 2, 4)]


def test_other_feeds_and_other_times_have_no_mark() -> None:
    assert found(event(5, "lost", venue="coinbase"), event(7, "connected", venue="coinbase")) == []
    assert found(event(-9, "lost"), event(-8, "connected"), event(600, "slow_reader")) == []
    assert found(event(1, "connected"), event(2, "resume", "A")) == []


def test_a_mark_says_how_many_prints_and_why() -> None:
    marks = feed_marks(
        [event(5, "gap_lost", "A", count=1, reason="history has aged out")], ["alpaca"], RANGE, NOW
    )
    assert marks["text"].tolist() == ["alpaca:iex: 1 print, history has aged out"]
    assert marks["kind"].tolist() == [FeedMarkKind.LOST]
