"""Binance's messages and history, read."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.common.errors import TapewatchError
from services.contracts.trade import decode_trade
from services.sources.feeds.binance import Binance
from services.sources.feeds.keeper import Wanted
from services.sources.feeds.messages import HistoryRequest, Page, Refusal
from services.sources.feeds.place import Place
from services.sources.files import open_source

MICROSECONDS = 1767369600123456


def trade(**changed: Any) -> dict[str, Any]:
    return {
        "e": "trade",
        "E": MICROSECONDS + 900,
        "s": "BTCUSDT",
        "t": 7,
        "p": "93000.10000000",
        "q": "0.50000000",
        "T": MICROSECONDS,
        "m": True,
        "M": True,
        **changed,
    }


def row(**changed: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "price": "93000.10000000",
        "qty": "0.50000000",
        "quoteQty": "46500.05000000",
        "time": MICROSECONDS,
        "isBuyerMaker": True,
        "isBestMatch": True,
        **changed,
    }


def frame(data: dict[str, Any]) -> bytes:
    return json.dumps({"stream": "btcusdt@trade", "data": data}).encode()


def ask(number: int = 6, until: int | None = None) -> HistoryRequest:
    request = Binance(["BTCUSDT"]).history(Wanted("BTCUSDT", Place(1, number), until))
    assert request is not None
    return request


def read(request: HistoryRequest, *rows: dict[str, Any]) -> Page:
    return Binance(["BTCUSDT"]).decode_page(request, json.dumps(rows).encode())


@pytest.mark.parametrize(("time", "unit"), [(MICROSECONDS, "us"), (MICROSECONDS // 1_000, "ms")])
@pytest.mark.parametrize("is_maker", [True, False])
def test_a_trade_has_the_same_bytes_live_from_history_and_from_a_dump(
    tmp_path: Path, time: int, unit: str, is_maker: bool
) -> None:
    venue = Binance(["BTCUSDT"])
    [live] = venue.decode(frame(trade(T=time, m=is_maker))).prints
    [past] = read(ask(), row(time=time, isBuyerMaker=is_maker)).prints
    dump = tmp_path / "BTCUSDT-trades-2026-01-02.csv"
    dump.write_text(f"7,93000.10000000,0.50000000,46500.05,{time},{is_maker},True\n")
    source = open_source(dump)
    [chunk] = source.chunks()
    assert live == past
    assert [live.value] == source.to_json(chunk.trades)
    assert live.trade_id == "binance-BTCUSDT-20260102-7"
    assert decode_trade(live.value).side == ("A" if is_maker else "B")
    assert live.tape_ns == time * (1_000 if unit == "us" else 1_000_000)


def test_the_first_trade_of_a_symbol_may_have_the_number_0() -> None:
    [one] = Binance(["BTCUSDT"]).decode(frame(trade(t=0))).prints
    assert one.number == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"t": None},
        {"t": -4},
        {"p": "free"},
        {"q": "-1"},
        {"T": 12},
        {"T": 10**18},
        {"m": None},
        {"s": 'BTC"USDT'},
        {"p": 93000.1},
    ],
)
def test_a_trade_that_is_none_is_a_bad_message(changed: dict[str, Any]) -> None:
    found = Binance(["BTCUSDT"]).decode(frame(trade(**changed)))
    assert not found.prints
    assert len(found.bad) == 1
    page = read(ask(), {**row(), "price": "free"}, row(id=8))
    assert [one.number for one in page.prints] == [8]
    assert "free" in page.bad[0].reason


@pytest.mark.parametrize("raw", [b"", b"[1", b"\xff\xfe", b"7", b'{"stream":"x","data":[]}'])
def test_what_cannot_be_read_is_a_bad_message(raw: bytes) -> None:
    assert len(Binance(["BTCUSDT"]).decode(raw).bad) == 1


def test_answers_and_other_streams_hold_nothing() -> None:
    venue = Binance(["BTCUSDT"])
    for message in ({"result": None, "id": 1}, {"stream": "x", "data": {"e": "24hrTicker", "s": "BTCUSDT"}}):
        found = venue.decode(json.dumps(message).encode())
        assert not found.prints
        assert not found.bad
        assert not found.notes


@pytest.mark.parametrize(
    "message", [{"e": "serverShutdown", "E": 1}, {"stream": "", "data": {"e": "serverShutdown"}}]
)
def test_a_server_that_will_shut_down_is_left(message: dict[str, Any]) -> None:
    [note] = Binance(["BTCUSDT"]).decode(json.dumps(message).encode()).notes
    assert isinstance(note, Refusal)
    assert note.hint is None


def test_history_is_asked_from_the_next_number_on_until_it_has_no_more() -> None:
    first = ask(6)
    assert first.path == "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=7&limit=1000"
    full = [row(id=number) for number in range(7, 1_007)]
    following = read(first, *full).following
    assert following is not None
    assert "fromId=1007&" in following.path
    assert read(following, row(id=1_007)).following is None  # a live market always has a newer one


def test_history_is_not_asked_beyond_the_last_number_wanted() -> None:
    following = read(ask(6, until=8), row(id=7)).following
    assert following is not None
    assert "fromId=8&" in following.path
    assert read(following, row(id=8), row(id=9)).following is None
    assert Binance(["BTCUSDT"]).history(Wanted("BTCUSDT", Place(1, 8), 8)) is None


def test_a_ban_for_asking_too_often_passes_and_a_refusal_does_not() -> None:
    venue = Binance(["BTCUSDT"])
    assert venue.refused_history(418, b"") is None
    assert venue.refused_history(429, b"") is None
    assert venue.refused_history(400, b'{"code":-1121}') is not None


@pytest.mark.parametrize("symbol", ["btcusdt", "BTC-USDT", "BTC/USDT", "", "BTC USDT"])
def test_a_symbol_that_is_written_in_another_way_is_refused(symbol: str) -> None:
    with pytest.raises(TapewatchError, match="no symbol of Binance's"):
        Binance([symbol])
