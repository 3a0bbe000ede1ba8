"""Alpaca's messages and history, without a server."""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.contracts.correction import Correction
from services.contracts.feed_event import EventName, FeedEvent
from services.contracts.trade import decode_trade
from services.sources.feeds import alpaca as module
from services.sources.feeds import login
from services.sources.feeds.alpaca import Alpaca
from services.sources.feeds.keeper import Wanted
from services.sources.feeds.messages import (
    Frame,
    HistoryRequest,
    Print,
    ReferringCorrection,
    Refusal,
    Skipped,
)
from services.sources.feeds.place import Place
from services.sources.feeds.registry import make_venue, open_venue
from services.sources.feeds.venue import Connection, ConnectionLostError, RefusedError

TRADE = (
    '{"T":"t","S":"AAPL","i":52983525028174,"x":"V","p":187.2500,"s":100,"c":["@","I"],'
    '"t":"2026-04-06T14:25:06.542305024Z","z":"C"}'
)
ROW = TRADE.replace('"T":"t","S":"AAPL",', "")
CANCEL = (
    '{"T":"x","S":"AAPL","i":52983525028174,"x":"V","p":187.25,"s":100,"a":"C",'
    '"t":"2026-04-06T14:31:00.5Z","z":"C"}'
)
CORRECTION = (
    '{"T":"c","S":"EEM","x":"M","oi":5201,"op":39.15,"os":440000,"oc":[" ","7"],"ci":5299,"cp":39.18,'
    '"cs":440000.5,"cc":[" ","7"],"z":"B","t":"2026-04-06T14:25:06.542305024Z"}'
)
STATUS = (
    '{"T":"s","S":"AAPL","sc":"H","sm":"Trading Halt","rc":"T12","rm":"Information",'
    '"t":"2026-04-06T14:31:00Z","z":"C"}'
)


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("KEY", "SECRET"):
        path = tmp_path / part
        path.write_text(f"the-{part.lower()}")
        monkeypatch.setenv(f"TAPEWATCH_ALPACA_{part}_FILE", str(path))


@pytest.fixture
def iex() -> Alpaca:
    venue = Alpaca(["AAPL"], None, None, "iex")
    venue.read_keys()
    return venue


def frame_of(*messages: str) -> bytes:
    return ("[" + ",".join(messages) + "]").encode()


def changed(message: str, **fields: object) -> str:
    """Return a message with other fields; None takes one out."""
    whole: dict[str, Any] = json.loads(message)
    return json.dumps({name: value for name, value in (whole | fields).items() if value is not None})


def only(frame: Frame) -> Print:
    assert not frame.bad
    (one,) = frame.prints
    return one


def test_a_trade_has_the_exact_text_of_the_topic(iex: Alpaca) -> None:
    one = only(iex.decode(frame_of(TRADE)))
    assert one.value == (
        b'{"@timestamp":"2026-04-06T14:25:06.542305024Z","trade_id":"alpaca-AAPL-20260406-V-52983525028174",'
        b'"symbol":"AAPL","price":187.25,"size":100,"side":"N","source":"alpaca","venue":"V","tape":"C",'
        b'"conditions":["odd_lot"],"conditions_raw":["@","I"],"anchor_eligible":false,'
        b'"extra":{"id":52983525028174}}'
    )
    assert one.tape_ns == 1_775_485_506_542_305_024
    assert one.reference == one.trade_id
    decode_trade(one.value)


def test_the_same_trade_has_the_same_bytes_from_both_feeds_live_and_from_history(iex: Alpaca) -> None:
    sip = Alpaca(["AAPL"], None, None, "sip")
    live = only(iex.decode(frame_of(TRADE)))
    request = iex.history(Wanted("AAPL", Place(live.tape_ns, 0, live.tape_ns)))
    assert request is not None
    body = f'{{"trades":{{"AAPL":[{ROW}]}},"next_page_token":null}}'.encode()
    assert only(sip.decode(frame_of(TRADE))) == live
    assert iex.decode_page(request, body).prints == [live]


@given(
    st.decimals("0.0001", "999999.9999", places=4),
    st.one_of(st.integers(1, 10**9), st.decimals("0.0001", "1000", places=6)),
)
def test_prices_and_sizes_are_exact(price: Decimal, size: Decimal | int) -> None:
    iex = Alpaca(["AAPL"], None, None, "iex")
    message = TRADE.replace("187.2500", str(price)).replace('"s":100', f'"s":{size}')
    value = only(iex.decode(frame_of(message))).value.decode()
    told = json.loads(value, parse_float=Decimal, parse_int=Decimal)
    assert (told["price"], told["size"]) == (price, size)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("2026-04-06T14:25:06Z", "2026-04-06T14:25:06.000000000Z"),
        ("2026-04-06T14:25:06.5423Z", "2026-04-06T14:25:06.542300000Z"),
        ("2026-04-06T14:25:06.542305024Z", "2026-04-06T14:25:06.542305024Z"),
        ("2026-04-06 14:25:06.542305024Z", "2026-04-06T14:25:06.542305024Z"),
        ("2026-04-06T14:25:06.5423+00:00", "2026-04-06T14:25:06.542300000Z"),
    ],
)
def test_times_have_nanoseconds_however_they_are_written(iex: Alpaca, time: str, text: str) -> None:
    assert json.loads(only(iex.decode(frame_of(changed(TRADE, t=time)))).value)["@timestamp"] == text


@pytest.mark.parametrize(
    ("time", "day"),
    [
        ("2026-04-07T03:59:59.999999999Z", "20260406"),
        ("2026-04-07T04:00:00Z", "20260407"),
        ("2026-01-07T04:30:00Z", "20260106"),
        ("2026-01-07T05:00:00.1Z", "20260107"),
    ],
)
def test_the_day_of_a_trade_is_new_yorks(iex: Alpaca, time: str, day: str) -> None:
    one = only(iex.decode(frame_of(changed(TRADE, t=time))))
    assert one.trade_id == f"alpaca-AAPL-{day}-V-52983525028174"


def test_ids_that_finra_uses_twice_are_told_apart_by_their_times(iex: Alpaca) -> None:
    first = changed(TRADE, x="D")
    second = changed(TRADE, x="D", t="2026-04-06T14:25:06.542305025Z", p=187.26)
    one, other = iex.decode(frame_of(first, second)).prints
    assert one.trade_id == "alpaca-AAPL-20260406-D-52983525028174-1775485506542305024"
    assert other.trade_id == "alpaca-AAPL-20260406-D-52983525028174-1775485506542305025"
    assert one.reference == "alpaca-AAPL-20260406-D-52983525028174-187.25-100"
    assert other.reference == "alpaca-AAPL-20260406-D-52983525028174-187.26-100"


@pytest.mark.parametrize(
    ("tape", "letters", "expected"),
    [
        ("C", ["@", "4"], {"conditions": ["derivatively_priced"], "price_eligible": False}),
        ("C", ["W"], {"conditions": ["average_price"], "price_eligible": False}),
        ("A", ["B"], {"conditions": ["average_price"], "price_eligible": False}),
        ("C", ["B"], {"conditions": ["bunched"]}),
        ("A", [" ", "M"], {"conditions": ["official_close"], "volume_eligible": False}),
        ("A", None, {}),
        ("N", ["@"], {"price_eligible": False}),
    ],
)
def test_conditions_are_read_with_the_letters_of_their_tape(
    iex: Alpaca, tape: str, letters: list[str] | None, expected: dict[str, object]
) -> None:
    trade = json.loads(only(iex.decode(frame_of(changed(TRADE, z=tape, c=letters)))).value)
    assert expected.items() <= trade.items()
    assert trade.get("tape") == (tape if tape != "N" else None)


def test_unknown_letters_are_counted_and_their_prices_not_judged(iex: Alpaca) -> None:
    frame = iex.decode(frame_of(changed(TRADE, c=["@", "?"]), changed(TRADE, c=["?"], i=2), TRADE))
    assert frame.unknown_conditions == ["?", "?"]
    assert json.loads(frame.prints[0].value)["price_eligible"] is False


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"p": "187.25"}, "price"),
        ({"p": True}, "price"),
        ({"s": -1}, "size"),
        ({"t": "yesterday"}, "time"),
        ({"t": "2026-13-06T14:25:06Z"}, "time"),
        ({"i": "5"}, "int"),
        ({"i": None}, "i"),
        ({"x": "V-2"}, "exchange"),
        ({"x": ""}, "exchange"),
        ({"S": ""}, "symbol"),
        ({"S": 'A"A'}, "symbol"),
        ({"c": "@"}, "array"),
    ],
)
def test_a_message_that_is_no_trade_is_a_dead_letter_and_its_frame_goes_on(
    iex: Alpaca, fields: dict[str, object], reason: str
) -> None:
    bad = changed(TRADE, **fields)
    frame = iex.decode(frame_of(TRADE, bad, changed(TRADE, i=7)))
    assert [one.trade_id[-1] for one in frame.prints] == ["4", "7"]
    (letter,) = frame.bad
    assert letter.raw == bad.encode()
    assert reason in letter.reason


@pytest.mark.parametrize(
    "raw", [b"", b"[", b"{}", b"\xff", b'["t"]', b"[1]", b'[{"S":"AAPL"}]', b'[{"T":5}]']
)
def test_what_is_no_frame_is_a_dead_letter(iex: Alpaca, raw: bytes) -> None:
    frame = iex.decode(raw)
    assert len(frame.bad) == 1
    assert not frame.prints


def test_other_kinds_of_messages_are_left_alone(iex: Alpaca) -> None:
    limits = '{"T":"l","S":"AAPL","u":190.1,"d":180.1,"i":"B","t":"2026-04-06T14:31:00Z","z":"C"}'
    subscription = '{"T":"subscription","trades":["AAPL"],"quotes":[]}'
    quote = '{"T":"q","S":"AAPL","bx":"V","bp":187.2}'
    for message in (limits, subscription, quote, '{"T":"success","msg":"connected"}'):
        frame = iex.decode(frame_of(message, TRADE))
        assert (len(frame.prints), frame.notes, frame.bad) == (1, [], [])


@pytest.mark.parametrize(
    ("tape", "code", "event"),
    [("C", "H", "halt"), ("C", "P", "halt"), ("C", "T", "resume"), ("A", "2", "halt"), ("B", "3", "resume")],
)
def test_a_halt_and_its_end_are_events(iex: Alpaca, tape: str, code: str, event: EventName) -> None:
    frame = iex.decode(frame_of(changed(STATUS, z=tape, sc=code)))
    words = "Trading Halt: Information"
    assert frame.notes == [
        FeedEvent("2026-04-06T14:31:00.000000000Z", "alpaca:iex", event, "AAPL", reason=words)
    ]


@pytest.mark.parametrize(("tape", "code"), [("C", "Q"), ("A", "5"), ("A", "H"), ("C", "2"), ("", "H")])
def test_other_statuses_are_none(iex: Alpaca, tape: str, code: str) -> None:
    assert iex.decode(frame_of(changed(STATUS, z=tape, sc=code))).notes == []


# --- refusals ---


@pytest.mark.parametrize("code", [400, 402, 405, 409, 410, 411])
def test_an_error_that_no_later_try_can_change_has_a_fix(iex: Alpaca, code: int) -> None:
    (note,) = iex.decode(frame_of(f'{{"T":"error","code":{code},"msg":"the words"}}')).notes
    assert isinstance(note, Refusal)
    assert note.reason == f"{code} the words"
    assert note.hint


@pytest.mark.parametrize("code", [401, 404, 406, 500, 999])
def test_after_other_errors_it_is_tried_again(iex: Alpaca, code: int) -> None:
    assert iex.decode(frame_of(f'{{"T":"error","code":{code},"msg":"words"}}')).notes == [
        Refusal(f"{code} words", None)
    ]


def test_a_slow_reader_is_an_event_and_connects_again(iex: Alpaca) -> None:
    words = "407 slow client"
    frame = iex.decode(frame_of('{"T":"error","code":407,"msg":"slow client"}'))
    assert frame.notes == [Skipped(words), Refusal(words, None)]


def test_already_authenticated_is_no_error(iex: Alpaca) -> None:
    assert iex.decode(frame_of('{"T":"error","code":403,"msg":"already authenticated"}')).notes == []


class Scripted(Connection):
    """A connection that answers what a test says."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = list(answers)
        self.sent: list[dict[str, Any]] = []
        self.is_closed = False

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def receive(self) -> bytes:
        if not self._answers:
            await asyncio.sleep(60)
        return self._answers.pop(0)

    async def close(self) -> None:
        self.is_closed = True


def connect(venue: Alpaca, monkeypatch: pytest.MonkeyPatch, *answers: str) -> tuple[Scripted, list[str]]:
    connection = Scripted([frame_of(one) for one in answers])
    urls: list[str] = []

    async def opened(url: str, hint: str) -> Connection:
        urls.append(url)
        return connection

    monkeypatch.setattr(module, "open_websocket", opened)
    monkeypatch.setattr(login, "LOGIN_S", 0.05)
    try:
        asyncio.run(venue.connect())
    except (ConnectionLostError, RefusedError):
        assert connection.is_closed
        raise
    return connection, urls


WELCOME, IN = '{"T":"success","msg":"connected"}', '{"T":"success","msg":"authenticated"}'


def test_it_logs_in_by_message_and_subscribes(iex: Alpaca, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, urls = connect(iex, monkeypatch, WELCOME, IN)
    assert urls == ["wss://stream.data.alpaca.markets/v2/iex"]
    assert connection.sent == [
        {"action": "auth", "key": "the-key", "secret": "the-secret"},
        {"action": "subscribe", "trades": ["AAPL"], "statuses": ["AAPL"], "lulds": ["AAPL"]},
    ]


@pytest.mark.parametrize(("code", "is_final"), [(402, True), (406, False), (404, False)])
def test_a_refused_login_ends_with_the_venues_words(
    iex: Alpaca, monkeypatch: pytest.MonkeyPatch, code: int, *, is_final: bool
) -> None:
    error = f'{{"T":"error","code":{code},"msg":"the words"}}'
    with pytest.raises(RefusedError) as refused:
        connect(iex, monkeypatch, WELCOME, error)
    assert refused.value.reason == f"{code} the words"
    assert (refused.value.hint is not None) is is_final


def test_a_login_without_an_answer_is_a_lost_connection(iex: Alpaca, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionLostError, match="login"):
        connect(iex, monkeypatch, WELCOME)


def test_a_missing_key_is_named_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPEWATCH_ALPACA_SECRET_FILE")
    with pytest.raises(TapewatchError, match="TAPEWATCH_ALPACA_SECRET_FILE is not set"):
        open_venue("alpaca:sip", ["AAPL"], None, None)
    make_venue("alpaca:sip", ["AAPL"])  # enough to run a recorded session again


def test_a_star_watches_all_symbols() -> None:
    venue = open_venue("alpaca:sip", ["AAPL", "*"], None, None)
    assert venue.symbols == ("*",)
    assert venue.watches_all


# --- corrections ---


def referring(frame: Frame) -> ReferringCorrection:
    assert not frame.bad
    (note,) = frame.notes
    assert isinstance(note, ReferringCorrection)
    return note


def test_a_cancel_refers_to_its_trade(iex: Alpaca) -> None:
    trade = only(iex.decode(frame_of(TRADE)))
    note = referring(iex.decode(frame_of(TRADE, CANCEL)))
    assert note.reference == trade.reference
    assert note.raw == CANCEL.encode()
    assert note.correction == Correction(
        "2026-04-06T14:31:00.500000000Z",
        "alpaca-AAPL-20260406-V-52983525028174-c1",
        None,
        "AAPL",
        "cancel",
        "alpaca",
        original={"id": 52983525028174, "exchange": "V", "price": 187.25, "size": 100.0},
    )


def test_an_error_is_an_error(iex: Alpaca) -> None:
    assert referring(iex.decode(frame_of(changed(CANCEL, a="E")))).correction.action == "error"


def test_a_cancel_of_finras_refers_by_price_and_size(iex: Alpaca) -> None:
    trade = only(iex.decode(frame_of(changed(TRADE, x="D"))))
    note = referring(iex.decode(frame_of(changed(CANCEL, x="D"))))
    assert note.reference == trade.reference
    assert note.correction.correction_id == f"{trade.reference}-c1"


def test_a_correction_has_the_new_values_and_the_new_name(iex: Alpaca) -> None:
    note = referring(iex.decode(frame_of(CORRECTION)))
    assert note.reference == "alpaca-EEM-20260406-M-5201"
    assert note.renamed == "alpaca-EEM-20260406-M-5299"
    correction = note.correction
    assert (correction.action, correction.price, correction.size) == ("correct", 39.18, 440000.5)
    assert correction.conditions == ["qualified_contingent"]
    assert correction.original == {
        "id": 5201,
        "exchange": "M",
        "price": 39.15,
        "size": 440000.0,
        "conditions_raw": [" ", "7"],
        "corrected_id": 5299,
    }


@pytest.mark.parametrize("fields", [{"a": "Z"}, {"p": "x"}, {"i": None}, {"x": ""}, {"S": ""}])
def test_a_cancel_that_cannot_be_read_is_a_dead_letter(iex: Alpaca, fields: dict[str, object]) -> None:
    frame = iex.decode(frame_of(TRADE, changed(CANCEL, **fields)))
    assert (len(frame.prints), len(frame.notes), len(frame.bad)) == (1, 0, 1)


def query(request: HistoryRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}


def answer(*rows: str, token: str | None = None, symbol: str = "AAPL") -> bytes:
    return f'{{"trades":{{"{symbol}":[{",".join(rows)}]}},"next_page_token":{json.dumps(token)}}}'.encode()


def test_a_correction_is_looked_up_in_the_history_of_its_day(iex: Alpaca) -> None:
    note = referring(iex.decode(frame_of(CANCEL)))
    assert query(note.lookup) == {
        "symbols": "AAPL",
        "start": "2026-04-06T04:00:00Z",
        "end": "2026-04-06T14:31:00.500000000Z",
        "limit": "10000",
        "feed": "iex",
        "sort": "desc",
    }
    nothing = iex.decode_page(note.lookup, answer(changed(ROW, i=1), token="more"))
    assert nothing.prints == []
    assert nothing.following is not None
    found = iex.decode_page(
        nothing.following, answer(changed(ROW, i=1), changed(ROW, u="canceled"), token="m")
    )
    assert [one.trade_id for one in found.prints] == ["alpaca-AAPL-20260406-V-52983525028174"]
    assert found.following is None
    assert found.corrections == []


def test_finras_ids_are_looked_up_to_the_beginning_of_the_day(iex: Alpaca) -> None:
    note = referring(iex.decode(frame_of(changed(CANCEL, x="D"))))
    page = iex.decode_page(note.lookup, answer(changed(ROW, x="D"), changed(ROW, x="D", p=5), token="more"))
    assert len(page.prints) == 1
    assert page.following is not None


# --- history ---


def test_history_is_asked_from_a_time_on_and_page_by_page() -> None:
    iex = Alpaca(["BRK.B"], None, "http://127.0.0.1:1", "iex")
    iex.read_keys()
    request = iex.history(Wanted("BRK.B", Place(1_775_485_510_000_000_000, 0, 1_775_485_506_542_305_024)))
    assert request is not None
    asked = {
        "symbols": "BRK.B",
        "start": "2026-04-06T14:25:06.542305024Z",
        "limit": "10000",
        "feed": "iex",
        "sort": "asc",
    }
    assert query(request) == asked
    ties = [changed(ROW, i=number) for number in range(1, 5)]
    page = iex.decode_page(request, answer(*ties[:2], token="a+b/c=", symbol="BRK.B"))
    assert page.following is not None
    assert query(page.following) == asked | {"page_token": "a+b/c="}
    last = iex.decode_page(page.following, answer(*ties[2:], symbol="BRK.B"))
    assert last.following is None
    numbers = [one.trade_id.rpartition("-")[2] for one in (*page.prints, *last.prints)]
    assert numbers == ["1", "2", "3", "4"]
    third = iex.decode_page(page.following, answer(*ties[2:], token="next", symbol="BRK.B"))
    assert third.following is not None
    assert query(third.following) == asked | {"page_token": "next"}
    assert iex.history_headers() == {"APCA-API-KEY-ID": "the-key", "APCA-API-SECRET-KEY": "the-secret"}


@pytest.mark.parametrize("body", [b"{}", b'{"trades":null}', b'{"trades":{},"next_page_token":null}'])
def test_an_answer_without_trades_is_the_end(iex: Alpaca, body: bytes) -> None:
    request = iex.history(Wanted("AAPL", Place(1, 0, 1)))
    assert request is not None
    page = iex.decode_page(request, body)
    assert (page.prints, page.following) == ([], None)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"trades":[', b'{"trades":5}'])
def test_what_is_no_answer_is_asked_again(iex: Alpaca, body: bytes) -> None:
    request = iex.history(Wanted("AAPL", Place(1, 0, 1)))
    assert request is not None
    with pytest.raises(msgspec.DecodeError):
        iex.decode_page(request, body)


def test_a_bad_row_costs_no_other(iex: Alpaca) -> None:
    request = iex.history(Wanted("AAPL", Place(1, 0, 1)))
    assert request is not None
    page = iex.decode_page(request, answer(ROW, changed(ROW, p="?"), changed(ROW, i=7, c=["?"])))
    assert (len(page.prints), len(page.bad), page.unknown_conditions) == (2, 1, ["?"])


def test_history_tells_what_was_taken_back_under_the_same_id_as_the_live_message(iex: Alpaca) -> None:
    request = iex.history(Wanted("AAPL", Place(1, 0, 1)))
    assert request is not None
    rows = [
        changed(ROW, u="canceled"),
        changed(ROW, i=5201, u="incorrect"),
        changed(ROW, i=5299, u="corrected"),
    ]
    page = iex.decode_page(request, answer(*rows))
    assert [one.trade_id.rpartition("-")[2] for one in page.prints] == ["52983525028174", "5201"]
    cancel, correct = page.corrections
    live = referring(iex.decode(frame_of(CANCEL)))
    assert cancel.correction_id == live.correction.correction_id
    assert (cancel.action, cancel.trade_id) == ("cancel", page.prints[0].trade_id)
    assert (correct.action, correct.trade_id, correct.price) == ("correct", page.prints[1].trade_id, None)


def test_an_update_that_is_not_known_is_a_dead_letter_and_its_trade_is_published(iex: Alpaca) -> None:
    request = iex.history(Wanted("AAPL", Place(1, 0, 1)))
    assert request is not None
    page = iex.decode_page(request, answer(changed(ROW, u="moved")))
    assert (len(page.prints), len(page.corrections), len(page.bad)) == (1, 0, 1)
