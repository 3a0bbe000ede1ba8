"""Kraken's messages and history, read."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.contracts.trade import decode_trade
from services.sources.feeds.keeper import Wanted
from services.sources.feeds.kraken import Kraken
from services.sources.feeds.messages import HistoryRequest, Page, Print, Refusal
from services.sources.feeds.place import Place
from services.sources.feeds.venue import RefusedError

PAIR = "BTC/USD"
START_NS = 1_790_322_577_000_000_000


def live(price: str = "93812.5", qty: str = "0.005", number: int = 7, **changed: Any) -> str:
    fields = {"side": "buy", "timestamp": "2026-09-25T07:49:37.708706Z", **changed}
    return (
        f'{{"symbol":"{PAIR}","side":"{fields["side"]}","price":{price},"qty":{qty},"ord_type":"market",'
        f'"trade_id":{number},"timestamp":"{fields["timestamp"]}"}}'
    )


def message(*trades: str, kind: str = "update") -> bytes:
    return f'{{"channel":"trade","type":"{kind}","data":[{",".join(trades)}]}}'.encode()


def answer(rows: Sequence[Any], error: Sequence[str] = ()) -> bytes:
    return json.dumps({"error": error, "result": {"XXBTZUSD": rows, "last": "1"}}).encode()


def row(number: int, time_ns: int, price: str = "93812.50000") -> list[Any]:
    return [price, "0.00500000", time_ns / 1e9, "b", "m", "", number]


def ask(number: int, time_ns: int, until: int | None = None) -> HistoryRequest:
    request = Kraken([PAIR]).history(Wanted(PAIR, Place(time_ns, number), until))
    assert request is not None
    return request


def test_a_trade_has_the_same_bytes_live_and_from_history() -> None:
    venue = Kraken([PAIR])
    [one] = venue.decode(message(live("93812.50", "0.00500000"))).prints
    body = (
        b'{"error":[],"result":{"XXBTZUSD":[["93812.50000","0.00500000",1790322577.708706123,"b","m","",7]],'
        b'"last":"1790322577708706123"}}'
    )
    page = venue.decode_page(ask(6, START_NS), body)
    assert page.prints == [one]
    assert one.trade_id == "kraken-BTC/USD-20260925-7"
    assert one.value == (
        b'{"@timestamp":"2026-09-25T07:49:37.708706000Z","trade_id":"kraken-BTC/USD-20260925-7",'
        b'"symbol":"BTC/USD","price":93812.5,"size":0.005,"side":"B","source":"kraken","sequence":7}'
    )


@pytest.mark.parametrize(
    ("written", "published"),
    [
        ("0.1", b"0.1"),
        ("100000000.123456789012", b"100000000.123456789012"),
        ("1e-05", b"0.00001"),
        ("40.0", b"40.0"),
        ("9007199254740993", b"9007199254740993.0"),
    ],
)
def test_a_price_is_kept_digit_by_digit(written: str, published: bytes) -> None:
    [one] = Kraken([PAIR]).decode(message(live(price=written))).prints
    assert b'"price":' + published + b"," in one.value


def test_a_snapshot_comes_in_the_order_of_its_numbers() -> None:
    found = Kraken([PAIR]).decode(message(live(number=9), live(number=7), live(number=8), kind="snapshot"))
    assert [one.number for one in found.prints] == [7, 8, 9]


def test_one_bad_trade_costs_no_other_of_its_message() -> None:
    found = Kraken([PAIR]).decode(message(live(number=7), live(price='"x"'), live(number=9)))
    assert [one.number for one in found.prints] == [7, 9]
    assert len(found.bad) == 1


@pytest.mark.parametrize(
    "trade",
    [
        live(side="hold"),
        live(number=0),
        live(price="null"),
        live(price="[1]"),
        live(price="1e400"),
        live(qty="-1"),
        live(timestamp="yesterday"),
        "{}",
        "7",
    ],
)
def test_a_trade_that_is_none_is_a_bad_message(trade: str) -> None:
    found = Kraken([PAIR]).decode(message(trade))
    assert not found.prints
    assert len(found.bad) == 1


@pytest.mark.parametrize("raw", [b"", b"[1", b"\xff", b'{"channel":"trade","data":7}', b'{"channel":7}'])
def test_what_cannot_be_read_is_a_bad_message(raw: bytes) -> None:
    assert len(Kraken([PAIR]).decode(raw).bad) == 1


@pytest.mark.parametrize(
    "raw",
    [
        '{"channel":"heartbeat"}',
        '{"channel":"status","type":"update","data":[{"system":"online"}]}',
        '{"method":"subscribe","result":{"channel":"trade","symbol":"BTC/USD"},"success":true}',
        '{"method":"pong","req_id":1}',
    ],
)
def test_other_messages_hold_nothing(raw: str) -> None:
    found = Kraken([PAIR]).decode(raw.encode())
    assert not found.prints
    assert not found.bad
    assert not found.notes


@pytest.mark.parametrize(
    ("error", "is_final"), [("Currency pair not supported BTC/USDX", True), ("EService:Unavailable", False)]
)
def test_a_refused_subscription_tells_the_fix_unless_it_passes(error: str, is_final: bool) -> None:
    raw = json.dumps({"method": "subscribe", "success": False, "error": error, "symbol": "BTC/USDX"})
    [note] = Kraken([PAIR]).decode(raw.encode()).notes
    assert isinstance(note, Refusal)
    assert error in note.reason
    assert (note.hint is not None) == is_final


def test_an_error_of_the_history_comes_with_a_status_of_success() -> None:
    venue, request = Kraken([PAIR]), ask(6, START_NS)
    with pytest.raises(RefusedError, match="EQuery:Unknown asset pair"):
        venue.decode_page(request, b'{"error":["EQuery:Unknown asset pair"]}')
    for body in (b'{"error":["EAPI:Rate limit exceeded"]}', b'{"error":[],"result":{}}', b"<html>"):
        with pytest.raises(ValueError, match=r"."):
            venue.decode_page(request, body)


def test_a_row_that_is_no_trade_is_a_bad_message() -> None:
    page = Kraken([PAIR]).decode_page(
        ask(6, START_NS), answer([row(7, START_NS), ["1", "2"], row(8, START_NS, "x")])
    )
    assert [one.number for one in page.prints] == [7]
    assert len(page.bad) == 2


@pytest.mark.parametrize("symbol", ["XBTUSD", "btc/usd", "BTC-USD", "", "BTC/USD/EUR"])
def test_a_pair_that_is_written_in_another_way_is_refused(symbol: str) -> None:
    with pytest.raises(TapewatchError, match="no pair of Kraken's"):
        Kraken([symbol])


def follow(tape: Sequence[tuple[int, int]], request: HistoryRequest | None, page_rows: int) -> list[Print]:
    """Ask a history of (number, time) to its end, as it answers: after a time, in the order of times."""
    venue = Kraken([PAIR])
    found: list[Print] = []
    for _ in range(500):
        if request is None:
            return found
        assert request.path.startswith("/0/public/Trades?pair=BTCUSD&since=")
        since = int(request.path.rpartition("=")[2])
        rows = sorted((time, number) for number, time in tape if time > since)[:page_rows]
        page: Page = venue.decode_page(request, answer([row(number, time) for time, number in rows]))
        found += page.prints
        request = page.following
    raise AssertionError("the history is asked without an end")


@given(
    steps=st.lists(st.sampled_from([0, 0, 1_000_000, 50_000_000]), min_size=30, max_size=120),
    known=st.integers(0, 25),
    page_rows=st.integers(6, 30),
)
def test_pages_that_break_inside_a_tie_leave_nothing_out(
    steps: list[int], known: int, page_rows: int
) -> None:
    times = [START_NS]
    run = 0
    for step in steps:
        run = run + 1 if step == 0 else 0
        times.append(times[-1] + (step if run < 4 else 1_000_000))
    tape = list(enumerate(times, 1_000))
    found = follow(tape, ask(1_000 + known, times[known], tape[-1][0]), page_rows)
    assert [one.number for one in found] == list(range(1_001 + known, 1_000 + len(times)))


@pytest.mark.parametrize("moved_s", [3_600, -7_200])
@pytest.mark.parametrize("first_moved", [40, 57, 95])
def test_trades_with_a_wrong_time_are_found(moved_s: int, first_moved: int) -> None:
    moved = range(first_moved, first_moved + 5)
    tape = [
        (number, START_NS + number * 10**7 + (moved_s * 10**9 if number in moved else 0))
        for number in range(1, 101)
    ]
    found = follow(tape, ask(50, max(time for number, time in tape if number <= 50)), 1_000)
    assert [one.number for one in found] == list(range(51, 101))


def test_what_history_lacks_does_not_hide_what_it_has() -> None:
    tape = [(number, START_NS + number * 10**7) for number in (*range(1, 61), *range(80, 101))]
    found = follow(tape, ask(50, tape[49][1], 100), 20)
    assert [one.number for one in found] == [*range(51, 61), *range(80, 101)]
    forgotten = tape[70:]
    assert [one.number for one in follow(forgotten, ask(50, tape[49][1], 100), 20)] == [
        n for n, _ in forgotten
    ]
    assert follow([], ask(50, tape[49][1], 100), 20) == []


def test_a_day_is_asked_from_its_beginning_without_a_known_number() -> None:
    tape = [(number, START_NS + number * 10**7) for number in range(1, 2_101)]
    found = follow(tape, ask(0, START_NS + 600 * 10**7), 1_000)
    assert [one.number for one in found] == list(range(600, 2_101))


def test_a_trade_of_the_feed_is_one_of_the_topic() -> None:
    [one] = Kraken([PAIR]).decode(message(live(side="sell"))).prints
    assert decode_trade(one.value).side == "A"
