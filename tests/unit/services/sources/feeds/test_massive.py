"""Massive's messages, history and login, read."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.common.errors import TapewatchError
from services.contracts.feed_event import FeedEvent
from services.sources.feeds import login, massive_venue
from services.sources.feeds.keeper import Wanted
from services.sources.feeds.massive import Massive
from services.sources.feeds.massive_venue import KEY_HINT
from services.sources.feeds.messages import HistoryRequest, Note, Page, Refusal, Skipped
from services.sources.feeds.place import Place
from services.sources.feeds.registry import names, open_venue
from services.sources.feeds.venue import ConnectionLostError, RefusedError
from services.sources.files import open_source

KEY = "a-secret-of-this-test"
TAPE_MS = 1_767_625_200_123
FLAT_HEAD = (
    "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,size,tape,"
    "trf_id,trf_timestamp"
)


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Massive:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    monkeypatch.setenv("TAPEWATCH_MASSIVE_KEY_FILE", str(file))
    venue = Massive(["AAPL"])
    venue.read_keys()
    return venue


def trade(**changed: Any) -> dict[str, Any]:
    return {
        "ev": "T",
        "sym": "AAPL",
        "x": 4,
        "i": "12345",
        "z": 3,
        "p": 161.87,
        "s": 1,
        "ds": "0.5",
        "c": [14, 37, 41],
        "t": TAPE_MS,
        "pt": TAPE_MS - 3,
        "q": 4009402,
        "trfi": 201,
        "trft": TAPE_MS,
        **changed,
    }


def row(**changed: Any) -> dict[str, Any]:
    return {
        "exchange": 4,
        "id": "12345",
        "tape": 3,
        "price": 161.87,
        "size": 0.5,
        "decimal_size": "0.5",
        "conditions": [14, 37, 41],
        "sip_timestamp": TAPE_MS * 1_000_000 + 456_789,
        "participant_timestamp": (TAPE_MS - 3) * 1_000_000 + 1,
        "sequence_number": 4009402,
        "trf_id": 201,
        "trf_timestamp": TAPE_MS * 1_000_000,
        **changed,
    }


def status(word: str, message: str = "") -> dict[str, Any]:
    return {"ev": "status", "status": word, "message": message}


def frame(*parts: object) -> bytes:
    return json.dumps(parts).encode()


def answer(*rows: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"status": "OK", "request_id": "1", "results": rows, **more}).encode()


def ask(venue: Massive, since_ns: int = TAPE_MS * 1_000_000 + 1) -> HistoryRequest:
    request = venue.history(Wanted("AAPL", Place(since_ns + 10**9, 0, since_ns)))
    assert request is not None
    return request


def read(venue: Massive, *rows: dict[str, Any], **more: Any) -> Page:
    return venue.decode_page(ask(venue), answer(*rows, **more))


@pytest.mark.parametrize(
    ("live", "past"),
    [
        ({}, {}),
        ({"c": []}, {"conditions": []}),
        ({"c": [2]}, {"conditions": [2]}),
        ({"ds": "", "s": 100}, {"decimal_size": "", "size": 100}),
        ({"t": TAPE_MS - 3}, {"sip_timestamp": (TAPE_MS - 3) * 1_000_000 + 999_999}),
        ({"pt": 0}, {"participant_timestamp": 0}),
        ({"p": 0.0001}, {"price": 1e-4}),
        ({"trfi": 0}, {"trf_id": 0}),
        ({"t": TAPE_MS * 1_000_000 + 7}, {}),
    ],
)
def test_a_trade_has_the_same_bytes_live_and_from_history(
    venue: Massive, live: dict[str, Any], past: dict[str, Any]
) -> None:
    [one] = venue.decode(frame(trade(**live))).prints
    assert read(venue, row(**past)).prints == [one]
    assert one.trade_id == "massive-AAPL-20260105-4009402"


def test_a_trade_is_that_of_the_flat_file_but_for_its_nanoseconds_and_later_corrections(
    venue: Massive, tmp_path: Path
) -> None:
    file = tmp_path / "2026-01-05.csv"
    tape_ns, event_ns = TAPE_MS * 1_000_000, (TAPE_MS - 3) * 1_000_000
    file.write_text(
        f'{FLAT_HEAD}\nAAPL,"14,37,41",0,4,12345,{event_ns},161.87,4009402,{tape_ns},0.5,3,201,{tape_ns}\n'
        f"AAPL,999,0,11,12346,{tape_ns},161.5,4009403,{tape_ns},100,3,0,0\n"
    )
    source = open_source(file)
    [chunk] = source.chunks()
    other = trade(c=[999], x=11, i="12346", pt=TAPE_MS, p=161.5, q=4009403, ds="", s=100, trfi=0)
    live = venue.decode(frame(trade(), other)).prints
    for one, value in zip(live, source.to_json(chunk.trades), strict=True):
        assert one.value == value.replace(b',"correction":"0"', b"")


def test_the_day_of_a_trade_is_new_yorks(venue: Massive) -> None:
    late = 1_767_661_200_000  # 20:00 in New York, the next day in UTC
    [one] = venue.decode(frame(trade(t=late, pt=late))).prints
    assert one.trade_id == "massive-AAPL-20260105-4009402"
    assert b'"@timestamp":"2026-01-06T01:00:00.000000000Z"' in one.value


def test_unknown_conditions_are_told_each_time(venue: Massive) -> None:
    found = venue.decode(frame(trade(c=[999]), trade(c=[14, 999], q=2), trade(c=[14], q=3)))
    assert found.unknown_conditions == ["999", "999"]
    assert read(venue, row(conditions=[999])).unknown_conditions == ["999"]
    assert b'"price_eligible":false' in found.prints[0].value


@pytest.mark.parametrize(
    "changed",
    [
        {"p": None},
        {"p": "x"},
        {"p": 1e300},
        {"s": -1, "ds": ""},
        {"ds": "-1"},
        {"t": 0, "pt": 0},
        {"t": "now"},
        {"q": -1},
        {"q": 1.5},
        {"sym": ""},
        {"sym": 7},
        {"t": 9 * 10**16},
    ],
)
def test_one_bad_trade_costs_no_other_of_its_frame(venue: Massive, changed: dict[str, Any]) -> None:
    found = venue.decode(frame(trade(q=1), trade(**{"q": 2, **changed}), trade(q=3)))
    assert [orjson.loads(one.value)["sequence"] for one in found.prints] == [1, 3]
    assert len(found.bad) == 1


@pytest.mark.parametrize("raw", [b"", b"[1", b"\xff", b"7", b'{"ev":"T"}', b'[{"ev":"XT"}]', b"[7]"])
def test_what_cannot_be_read_is_a_bad_message(venue: Massive, raw: bytes) -> None:
    assert len(venue.decode(raw).bad) == 1


def notes(venue: Massive, *parts: dict[str, Any]) -> Sequence[Note]:
    return venue.decode(frame(*parts)).notes


def test_what_the_venue_says_of_the_connection(venue: Massive) -> None:
    assert not notes(venue, status("success", "subscribed to: T.AAPL"), status("connected"))
    [slow] = notes(venue, status("slow_consumer", "too slow"))
    assert isinstance(slow, Skipped)
    [occupied] = notes(venue, status("max_connections", "exceeded"))
    assert isinstance(occupied, Refusal)
    assert occupied.hint is None
    [refused] = notes(venue, status("error", "not authorized: T.AAPL"))
    assert isinstance(refused, Refusal)
    assert refused.hint is not None


def test_a_plan_without_halts_still_has_trades(venue: Massive) -> None:
    found = venue.decode(frame(status("error", "not authorized: LULD.AAPL"), trade()))
    assert len(found.prints) == 1
    assert not found.notes
    assert len(found.bad) == 1


def test_halts_and_resumptions_are_events(venue: Massive) -> None:
    band = {"ev": "LULD", "T": "AAPL", "h": 1.0, "l": 0.5, "z": 3, "q": 1}
    found = notes(
        venue,
        {**band, "i": [16], "t": TAPE_MS},
        {**band, "i": [17], "t": TAPE_MS * 1_000_000 + 5},
        {**band, "i": [18], "t": TAPE_MS},
    )
    assert [one.event for one in found if isinstance(one, FeedEvent)] == ["halt", "resume"]
    assert all(
        isinstance(one, FeedEvent) and one.timestamp.startswith("2026-01-05T15:00:00.123") for one in found
    )


def test_history_is_asked_from_whole_milliseconds(venue: Massive) -> None:
    assert ask(venue).path == (
        f"/v3/trades/AAPL?timestamp.gte={TAPE_MS}000000&order=asc&sort=timestamp&limit=50000"
    )
    assert "/v3/trades/BRK.A%2FX?" in str(venue.history(Wanted("BRK.A/X", Place(1))))


def test_the_key_goes_to_no_other_server(venue: Massive) -> None:
    page = read(venue, row(), next_url="https://elsewhere.example/v3/trades/AAPL?cursor=abc")
    assert page.following == HistoryRequest("AAPL", "/v3/trades/AAPL?cursor=abc")
    assert KEY not in str(page)
    with pytest.raises(ValueError, match="next page"):
        read(venue, row(), next_url="https://api.massive.com@elsewhere.example/other?x=1")
    assert venue.history_headers() == {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(("number", "action"), [(1, "correct"), (7, "error"), (8, "cancel")])
def test_what_was_changed_later_is_a_print_and_a_correction(venue: Massive, number: int, action: str) -> None:
    record_number = {1: 12, 7: 11, 8: 10}[number]
    record = row(
        correction=record_number,
        sequence_number=9_000_000,
        price=160.5,
        decimal_size="7",
        conditions=[],
        sip_timestamp=(TAPE_MS + 60_000) * 1_000_000,
    )
    page = read(venue, row(correction=number), record, row(sequence_number=4009403))
    assert len(page.prints) == 2
    assert page.prints[0] == read(venue, row()).prints[0]
    assert f"correction {record_number}: it" in page.bad[0].reason
    [found] = page.corrections
    assert (found.action, found.trade_id) == (action, page.prints[0].trade_id)
    assert found.correction_id == f"{found.trade_id}-c{number}"
    assert found.timestamp == "2026-01-05T15:01:00.123000000Z"
    is_correct = action == "correct"
    assert (found.price, found.size, found.conditions) == (
        (160.5, 7.0, []) if is_correct else (None, None, None)
    )
    assert found.original is not None
    assert found.original["price"] == 161.87


def test_a_correction_without_its_record_or_with_a_broken_one_is_told_all_the_same(venue: Massive) -> None:
    [alone] = read(venue, row(correction=8)).corrections
    assert alone.timestamp == "2026-01-05T15:00:00.123000000Z"
    page = read(venue, row(correction=1), row(correction=12, price=None))
    assert page.corrections[0].price is None
    assert len(page.bad) == 2


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"status":"OK","results":[', b'{"status":"OK","results":7}']
)
def test_what_is_no_answer_is_asked_again(venue: Massive, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        venue.decode_page(ask(venue), body)


def test_both_feeds_are_known_by_name(venue: Massive) -> None:
    assert {"massive", "massive:delayed"} <= set(names())
    delayed = open_venue("massive:delayed", ["AAPL"], None, None)
    assert (delayed.name, delayed.url) == ("massive:delayed", "wss://delayed.massive.com")
    with pytest.raises(TapewatchError):
        open_venue("massive:other", ["AAPL"], None, None)


def test_all_tickers_may_be_asked_for(venue: Massive, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = Massive(["*", "AAPL"])
    assert everything.watches_all
    connection = connect(everything, monkeypatch, frame(status("auth_success")))
    assert connection.sent[1] == {"action": "subscribe", "params": "T.*"}


def test_a_missing_key_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPEWATCH_MASSIVE_KEY_FILE", raising=False)
    with pytest.raises(TapewatchError, match="TAPEWATCH_MASSIVE_KEY_FILE"):
        Massive(["AAPL"]).read_keys()


class Scripted:
    """A connection that receives what it is given."""

    def __init__(self, *received: bytes) -> None:
        self._received = list(received)
        self.sent: list[Any] = []
        self.is_closed = False

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def receive(self) -> bytes:
        if not self._received:
            await asyncio.sleep(3_600)
        return self._received.pop(0)

    async def close(self) -> None:
        self.is_closed = True


def connect(venue: Massive, monkeypatch: pytest.MonkeyPatch, *received: bytes) -> Scripted:
    connection = Scripted(*received)

    async def opened(_: str, hint: str) -> Scripted:
        return connection

    monkeypatch.setattr(massive_venue, "open_websocket", opened)
    monkeypatch.setattr(login, "LOGIN_S", 0.05)
    try:
        asyncio.run(venue.connect())
    finally:
        assert connection.is_closed == (len(connection.sent) == 1)
    return connection


def test_the_login_comes_before_the_subscription(venue: Massive, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(venue, monkeypatch, frame(status("connected")), frame(status("auth_success")))
    assert connection.sent == [
        {"action": "auth", "params": KEY},
        {"action": "subscribe", "params": "T.AAPL"},
        {"action": "subscribe", "params": "LULD.AAPL"},
    ]


def test_a_wrong_key_is_refused_for_good_and_a_second_connection_for_now(
    venue: Massive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError) as wrong:
        connect(venue, monkeypatch, frame(status("connected")), frame(status("auth_failed", "no such key")))
    assert wrong.value.hint == KEY_HINT
    with pytest.raises(RefusedError) as second:
        connect(venue, monkeypatch, frame(status("connected"), status("max_connections", "exceeded")))
    assert second.value.hint is None
    assert KEY not in f"{wrong.value.reason}{second.value.reason}"


@pytest.mark.parametrize("received", [[], [b"<html>"], [b"\xff"]])
def test_a_login_without_an_answer_is_a_lost_connection(
    venue: Massive, monkeypatch: pytest.MonkeyPatch, received: list[bytes]
) -> None:
    with pytest.raises(ConnectionLostError):
        connect(venue, monkeypatch, *received)
