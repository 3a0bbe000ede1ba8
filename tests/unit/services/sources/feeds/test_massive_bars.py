"""Massive's bars of minutes and days, read and asked for."""

import asyncio
import datetime as dt
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from services.common.errors import TapewatchError
from services.contracts.trade import decode_trade
from services.sources.feeds import login, massive_bars, massive_venue
from services.sources.feeds.history import HistoryUnavailableError
from services.sources.feeds.keeper import Wanted
from services.sources.feeds.massive_bars import MassiveDays, MassiveMinutes
from services.sources.feeds.messages import HistoryRequest, Page, Refusal
from services.sources.feeds.place import Place
from services.sources.feeds.registry import make_venue, names
from services.sources.feeds.venue import RefusedError
from services.sources.files import open_source

START_MS = 1_767_364_200_000  # 2026-01-02, 14:30 in UTC
END_NS = (START_MS + 60_000) * 1_000_000
MIDNIGHT_MS = 1_767_330_000_000  # of the same day in New York
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture
def minutes() -> MassiveMinutes:
    return MassiveMinutes(["AAPL"], None, None, "minute")


@pytest.fixture
def days() -> MassiveDays:
    return MassiveDays(["AAPL"], None)


def minute(**changed: Any) -> dict[str, Any]:
    return {
        "ev": "AM",
        "sym": "AAPL",
        "v": 51200,
        "dv": "51200.5",
        "av": 900000,
        "dav": "900000.5",
        "op": 186.0,
        "vw": 187.2,
        "o": 187.1,
        "c": 187.31,
        "h": 187.4,
        "l": 187.05,
        "a": 187.0,
        "z": 40,
        "s": START_MS,
        "e": START_MS + 60_000,
        **changed,
    }


def row(**changed: Any) -> dict[str, Any]:
    return {
        "v": 51200.5,
        "vw": 187.2,
        "o": 187.1,
        "c": 187.31,
        "h": 187.4,
        "l": 187.05,
        "t": START_MS,
        "n": 412,
        **changed,
    }


def frame(*parts: object) -> bytes:
    return json.dumps(parts).encode()


def answer(*rows: object, **more: Any) -> bytes:
    return json.dumps({"status": "OK", "ticker": "AAPL", "results": rows, **more}).encode()


def at(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Set the clock, in New York's time."""
    now = dt.datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "time_ns", lambda: int(now) * 10**9)


def path_of(request: HistoryRequest | None) -> list[str]:
    assert request is not None
    return request.path.partition("?")[0].split("/")[4:]


# --- minutes ---


def test_a_bar_has_the_same_bytes_live_and_from_history(minutes: MassiveMinutes) -> None:
    [live] = minutes.decode(frame(minute())).prints
    page = minutes.decode_page(HistoryRequest("AAPL", "/x"), answer(row()))
    assert page.prints == [live]
    assert live.value == (
        b'{"@timestamp":"2026-01-02T14:31:00.000000000Z","trade_id":"massive-minute-AAPL-1767364260000000000",'
        b'"symbol":"AAPL","price":187.31,"size":51200.5,"side":"N","source":"massive-minute","kind":"bar",'
        b'"extra":{"open":187.1,"high":187.4,"low":187.05}}'
    )
    assert live.tape_ns == END_NS


def test_a_bar_says_what_a_file_of_bars_says(minutes: MassiveMinutes, tmp_path: Path) -> None:
    file = tmp_path / "bars.csv"
    file.write_text(
        "symbol,timestamp,open,high,low,close,volume\n"
        "AAPL,2026-01-02T14:31:00Z,187.1,187.4,187.05,187.31,51200.5\n"
    )
    source = open_source(file)
    [chunk] = source.chunks()
    [value] = source.to_json(chunk.trades)
    [live] = minutes.decode(frame(minute())).prints
    assert live.value.replace(b"massive-minute", b"bars") == value
    assert decode_trade(live.value).kind == "bar"


@pytest.mark.parametrize(
    ("changed", "size"),
    [({"dv": ""}, 51200), ({"dv": "7.0"}, 7), ({"dv": 7.5}, 7.5), ({"dv": "1.2e6"}, 1_200_000)],
)
def test_the_volume_is_the_decimal_one_where_there_is_one(
    minutes: MassiveMinutes, changed: dict[str, Any], size: float
) -> None:
    [one] = minutes.decode(frame(minute(**changed))).prints
    assert orjson.loads(one.value)["size"] == size


@pytest.mark.parametrize(
    "changed",
    [{"s": 1_767_364_200}, {"c": "x"}, {"sym": "A\nB"}, {"v": -1, "dv": ""}, {"o": None}, {"s": None}],
)
def test_one_bad_bar_costs_no_other(minutes: MassiveMinutes, changed: dict[str, Any]) -> None:
    found = minutes.decode(frame(minute(), minute(**changed), minute(s=START_MS + 60_000)))
    assert [one.tape_ns - END_NS for one in found.prints] == [0, 60 * 10**9]
    assert len(found.bad) == 1
    renamed = {"s": "t", "sym": "n", "dv": "n"}
    bad_row = row(**{renamed.get(name, name): value for name, value in changed.items()})
    page = minutes.decode_page(HistoryRequest("AAPL", "/x"), answer(row(), bad_row))
    assert len(page.bad) == (0 if "sym" in changed else 1)


def test_a_plan_without_bars_is_refused_with_its_fix(minutes: MassiveMinutes) -> None:
    [note] = minutes.decode(frame({"ev": "status", "status": "error", "message": "not authorized"})).notes
    assert isinstance(note, Refusal)
    assert "plan" in (note.hint or "")


@pytest.mark.parametrize(("which", "last"), [("minute", "09:58"), ("delayed-minute", "09:43")])
def test_no_bar_is_asked_for_that_is_not_whole_or_not_shown_yet(
    monkeypatch: pytest.MonkeyPatch, which: str, last: str
) -> None:
    at(monkeypatch, "2026-01-02T10:00:14")
    venue = make_venue(f"massive:{which}", ["AAPL"])
    ticker, _, _, unit, first_ms, last_ms = path_of(venue.history(Wanted("AAPL", Place(END_NS, 0, END_NS))))
    assert (ticker, unit, int(first_ms)) == ("AAPL", "minute", START_MS)
    begins = [dt.datetime.fromtimestamp(int(last_ms) // 60_000 * 60, NEW_YORK)]
    assert [f"{one:%H:%M}" for one in begins] == [last]


def test_the_last_bar_asked_for_is_never_before_the_first(
    monkeypatch: pytest.MonkeyPatch, minutes: MassiveMinutes
) -> None:
    at(monkeypatch, "2026-01-02T09:31:05")
    *_, first_ms, last_ms = path_of(minutes.history(Wanted("AAPL", Place(END_NS, 0, END_NS))))
    assert first_ms == last_ms == str(START_MS)


def test_prices_are_not_adjusted_and_the_next_page_is_asked_without_the_key(minutes: MassiveMinutes) -> None:
    request = minutes.history(Wanted("BRK.A", Place(END_NS, 0, END_NS)))
    assert request is not None
    assert "adjusted=false" in request.path
    url = "https://api.massive.com/v2/aggs/ticker/BRK.A/range/1/minute/1/2?cursor=abc&apiKey=secret"
    page = minutes.decode_page(request, answer(next_url=url))
    assert page.following == HistoryRequest("BRK.A", "/v2/aggs/ticker/BRK.A/range/1/minute/1/2?cursor=abc")
    with pytest.raises(ValueError, match="not one of"):
        minutes.decode_page(request, answer(next_url="https://elsewhere/v3/trades/AAPL?cursor=abc"))


def test_minutes_are_subscribed_to_by_their_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, str]] = []
    urls: list[str] = []

    class Scripted:
        async def send(self, text: str) -> None:
            sent.append(json.loads(text))

        async def receive(self) -> bytes:
            return frame({"ev": "status", "status": "auth_success"})

        async def close(self) -> None:
            raise AssertionError

    async def opened(url: str, _: str) -> Scripted:
        urls.append(url)
        return Scripted()

    monkeypatch.setattr(massive_venue, "open_websocket", opened)
    monkeypatch.setattr(login, "LOGIN_S", 0.5)
    asyncio.run(make_venue("massive:delayed-minute", ["AAPL", "MSFT"]).connect())
    assert sent[1:] == [{"action": "subscribe", "params": "AM.AAPL,AM.MSFT"}]
    assert urls == ["wss://delayed.massive.com/stocks"]


def test_all_feeds_are_known_by_name() -> None:
    assert {"massive", "massive:delayed", "massive:minute", "massive:delayed-minute", "massive:daily"} <= set(
        names()
    )
    assert make_venue("massive:daily", ["AAPL"]).name == "massive:daily"
    with pytest.raises(TapewatchError, match="no feed 'massive:second'"):
        make_venue("massive:second", ["AAPL"])


# --- days ---


@pytest.mark.parametrize(
    ("midnight_ms", "end"),
    [(MIDNIGHT_MS, "2026-01-02T21:00:00"), (1_775_448_000_000, "2026-04-06T20:00:00")],
)
def test_a_daily_bar_ends_at_four_in_new_york(days: MassiveDays, midnight_ms: int, end: str) -> None:
    [one] = days.decode(answer(row(t=midnight_ms))).prints
    trade = orjson.loads(one.value)
    assert trade["@timestamp"] == f"{end}.000000000Z"
    assert trade["trade_id"] == f"massive-daily-AAPL-{one.tape_ns}"
    assert (trade["source"], trade["kind"], trade["price"]) == ("massive-daily", "bar", 187.31)
    assert days.decode_page(HistoryRequest("AAPL", "/x"), answer(row(t=midnight_ms))).prints == [one]


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-01-07T20:29:59", "2026-01-06"),
        ("2026-01-07T20:30:00", "2026-01-07"),
        ("2026-01-08T00:10:00", "2026-01-07"),
    ],
)
def test_the_bar_of_a_day_is_asked_for_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch, days: MassiveDays, now: str, last: str
) -> None:
    at(monkeypatch, now)
    [bar] = days.decode(answer(row(t=MIDNIGHT_MS))).prints
    request = days.history(Wanted("AAPL", Place(bar.tape_ns, 0, bar.tape_ns)))
    assert path_of(request) == ["AAPL", "range", "1", "day", "2026-01-02", last]


def test_days_are_asked_for_ticker_by_ticker_again_and_again(
    monkeypatch: pytest.MonkeyPatch, days: MassiveDays
) -> None:
    at(monkeypatch, "2026-01-07T12:00:00")
    asked: list[HistoryRequest] = []
    refusal = ""

    class Answering:
        def __init__(self, _: object) -> None:
            """Take any venue."""

        async def ask(self, request: HistoryRequest, keep: Callable[[bytes], None]) -> Page:
            if refusal:
                raise HistoryUnavailableError(refusal)
            asked.append(request)
            keep(answer(row(t=MIDNIGHT_MS)))
            return Page([], None)

    monkeypatch.setattr(massive_bars, "History", Answering)

    async def poll() -> list[bytes]:
        connection = await days.connect()
        return [await connection.receive()]

    [body] = asyncio.run(poll())
    assert path_of(asked[0]) == ["AAPL", "range", "1", "day", "2025-12-27", "2026-01-06"]
    assert len(days.decode(body).prints) == 1
    refusal = "it answers 401"
    with pytest.raises(RefusedError) as refused:
        asyncio.run(poll())
    assert (refused.value.reason, refused.value.hint) == ("it answers 401", massive_venue.KEY_HINT)


def test_days_of_all_tickers_are_refused() -> None:
    with pytest.raises(TapewatchError, match="cannot watch all"):
        make_venue("massive:daily", ["*"])


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[]"])
def test_a_poll_that_cannot_be_read_is_a_bad_message(days: MassiveDays, raw: bytes) -> None:
    assert len(days.decode(raw).bad) == 1
    assert not days.decode(b"").bad
