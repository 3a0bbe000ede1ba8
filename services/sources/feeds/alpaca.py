"""Alpaca's market data of US stocks, version 2: the feeds `iex` and `sip`.

Nothing numbers the prints: a lost connection is filled from the history, asked from a time on. What is lost
while the connection stands is found by reconciliation alone.

`trade_id` is `alpaca-<symbol>-<YYYYMMDD, New York>-<exchange>-<id>`, on both feeds the same. The exchange `D`
(FINRA, several facilities) uses ids more than once a day: there the time in ns stands behind it. Corrections
name a trade without its time: those of `D` are found by price and size, and those that fit several trades or
none have no `trade_id`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import quote

import msgspec

from services.contracts.correction import Action, Correction
from services.contracts.feed_event import EventName, FeedEvent
from services.sources.conditions import BY_LETTER, judge
from services.sources.feeds.credentials import key_of
from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.login import open_and_log_in
from services.sources.feeds.messages import (
    BadMessage,
    Frame,
    HistoryRequest,
    Page,
    Print,
    ReferringCorrection,
    Refusal,
    Skipped,
)
from services.sources.feeds.place import Place
from services.sources.feeds.timed_keeper import TimedKeeper
from services.sources.feeds.trade_text import (
    BadTradeError,
    Times,
    check_symbol,
    conditions_fields,
    price_text,
    size_text,
    trade_text,
)
from services.sources.feeds.venue import Connection, RefusedError, Venue
from services.sources.feeds.websocket import PLAN_HINT, Websocket, open_websocket
from services.sources.feeds.zone_days import ZoneDays

URL = "wss://stream.data.alpaca.markets"
REST_URL = "https://data.alpaca.markets"
EVERYTHING = "*"

PAGE_TRADES = 10_000
OVERLAP_S = 30.0
"""A print may be reported so much later than others: to FINRA within 10 s of its time."""

REQUEST_INTERVALS_S = {"iex": 0.3, "sip": 0.0065}
"""200 questions a minute are allowed without a plan, and 10,000 with the one that has `sip`."""

FACILITIES = "D"
_MOST_REMEMBERED = 8192
_TIME_CHARS = len("2026-04-06T14:25:06.542305024Z")

SLOW_CLIENT = 407
ALREADY_AUTHENTICATED = 403
HINTS = {
    400: "Check how the symbols are written: as Alpaca does, BRK.B.",
    402: "Check the files that TAPEWATCH_ALPACA_KEY_FILE and TAPEWATCH_ALPACA_SECRET_FILE name.",
    405: "Name fewer symbols: the account's plan has a limit.",
    409: "The account's plan does not have this feed: use alpaca:iex, or a plan with the feed sip.",
    410: "The venue has changed its protocol: update Tapewatch.",
    411: "The key may not read market data: make another one.",
}
"""What to do about errors that no later try can change. Others (401 not logged in, 404 login too late, 406
another connection, 500) are tried again."""

HALTS: Mapping[tuple[str, str], EventName] = {
    ("A", "2"): "halt",
    ("A", "3"): "resume",
    ("B", "2"): "halt",
    ("B", "3"): "resume",
    ("C", "H"): "halt",
    ("C", "P"): "halt",
    ("C", "T"): "resume",
}
"""By tape and status code. Others, such as quotes that resume before trading does, are no halts."""

CANCELS: Mapping[str, Action] = {"C": "cancel", "E": "error"}
UPDATES: Mapping[str, Action] = {"canceled": "cancel", "incorrect": "correct"}
"""What history says of a trade that is not valid any more."""

CORRECTED = "corrected"
"""A row of history that replaces an incorrect one; it was never a print of its own."""


class _Trade(msgspec.Struct, tag_field="T", tag="t", gc=False):
    i: int
    x: str
    p: msgspec.Raw
    s: msgspec.Raw
    t: str
    symbol: str = msgspec.field(name="S")
    z: str = ""
    c: tuple[str, ...] | None = None


class _Row(msgspec.Struct, gc=False):
    """A trade of history."""

    i: int
    x: str
    p: msgspec.Raw
    s: msgspec.Raw
    t: str
    z: str = ""
    c: tuple[str, ...] | None = None
    u: str = ""


class _Cancel(msgspec.Struct, tag_field="T", tag="x", gc=False):
    i: int
    x: str
    p: msgspec.Raw
    s: msgspec.Raw
    a: str
    t: str
    symbol: str = msgspec.field(name="S")


class _Corrected(msgspec.Struct, tag_field="T", tag="c", gc=False):
    oi: int
    op: msgspec.Raw
    os: msgspec.Raw
    ci: int
    cp: msgspec.Raw
    cs: msgspec.Raw
    x: str
    t: str
    symbol: str = msgspec.field(name="S")
    oc: tuple[str, ...] | None = None
    cc: tuple[str, ...] | None = None
    z: str = ""


class _Status(msgspec.Struct, tag_field="T", tag="s", gc=False):
    sc: str
    t: str
    symbol: str = msgspec.field(name="S")
    z: str = ""
    sm: str = ""
    rc: str = ""
    rm: str = ""


class _Limits(msgspec.Struct, tag_field="T", tag="l", gc=False):
    """Limit up, limit down: not used."""


class _Subscribed(msgspec.Struct, tag_field="T", tag="subscription", gc=False):
    """All that is subscribed to by now."""


class _Success(msgspec.Struct, tag_field="T", tag="success", gc=False):
    msg: str = ""


class _Error(msgspec.Struct, tag_field="T", tag="error", gc=False):
    code: int = 0
    msg: str = ""


_Message = _Trade | _Cancel | _Corrected | _Status | _Limits | _Subscribed | _Success | _Error
KINDS = ("t", "x", "c", "s", "l", "subscription", "success", "error")


class _Kind(msgspec.Struct, gc=False):
    kind: str = msgspec.field(name="T")


class _Answer(msgspec.Struct, gc=False):
    trades: dict[str, list[msgspec.Raw] | None] | None = None
    next_page_token: str | None = None


class Alpaca(Venue):
    """See the module and `Venue`.

    Parameters
    ----------
    symbols
        As Alpaca writes them; `*` for all.
    url, rest_url
        See `Venue`.
    which
        `iex` or `sip`.
    """

    source: ClassVar[str] = "alpaca"
    zone: ClassVar[str] = "America/New_York"
    can_begin_earlier: ClassVar[bool] = True

    def __init__(self, symbols: Sequence[str], url: str | None, rest_url: str | None, which: str) -> None:
        watches_all = EVERYTHING in symbols
        super().__init__((EVERYTHING,) if watches_all else symbols, url or URL, rest_url or REST_URL)
        self.watches_all = watches_all
        self.name = f"alpaca:{which}"
        self.request_interval_s = REQUEST_INTERVALS_S[which]
        self._which = which
        self._days = ZoneDays(self.zone)
        self._key = self._secret = ""
        self._times = Times()
        self._decoder = msgspec.json.Decoder(list[_Message])
        self._one_decoder: msgspec.json.Decoder[_Message] = msgspec.json.Decoder(_Message)
        self._raw_decoder = msgspec.json.Decoder(list[msgspec.Raw])
        self._kind_decoder = msgspec.json.Decoder(_Kind)
        self._answer_decoder = msgspec.json.Decoder(_Answer)
        self._row_decoder = msgspec.json.Decoder(_Row)
        # What few values of a print come to; computed once each.
        self._symbols: dict[str, str] = {}
        self._rests: dict[tuple[str, str, tuple[str, ...] | None], tuple[str, tuple[str, ...]]] = {}

    def read_keys(self) -> None:
        """See `Venue`."""
        self._key, self._secret = key_of("ALPACA"), key_of("ALPACA", "SECRET")

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`."""
        return TimedKeeper(symbol, shared, place, OVERLAP_S)

    # --- the live feed ---

    async def connect(self) -> Connection:
        """See `Venue`."""
        opening = open_websocket(f"{self.url}/v2/{self._which}", PLAN_HINT)
        return await open_and_log_in(opening, self._log_in)

    async def _log_in(self, connection: Websocket) -> None:
        await self._wait_for(connection, "connected")
        login = {"action": "auth", "key": self._key, "secret": self._secret}
        await connection.send(msgspec.json.encode(login).decode())
        await self._wait_for(connection, "authenticated")
        names = list(self.symbols)
        asked = {"action": "subscribe", "trades": names, "statuses": names, "lulds": names}
        await connection.send(msgspec.json.encode(asked).decode())

    async def _wait_for(self, connection: Websocket, word: str) -> None:
        """Read until the venue says that a step of the login is done."""
        while True:
            raw = await connection.receive()
            try:
                messages = self._decoder.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            for message in messages:
                if isinstance(message, _Success) and message.msg == word:
                    return
                if isinstance(message, _Error):
                    if message.code == ALREADY_AUTHENTICATED:
                        return
                    raise RefusedError(f"{message.code} {message.msg}", HINTS.get(message.code))

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`."""
        frame = Frame()
        try:
            messages = self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self._decode_each(raw, frame)
            return frame
        for place, message in enumerate(messages):
            try:
                if type(message) is _Trade:
                    frame.prints.append(self._print(message.symbol, message, frame.unknown_conditions))
                else:
                    self._take(message, frame, raw, place)
            except BadTradeError as error:
                frame.bad.append(BadMessage(self._raw(raw, place), f"not a message of alpaca: {error}"))
        return frame

    def _decode_each(self, raw: bytes, frame: Frame) -> None:
        """Decode message by message what has one that cannot be read, or a kind that is not known."""
        try:
            each = self._raw_decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            frame.bad.append(BadMessage(raw, f"not a frame of alpaca: {error}"))
            return
        for place, one in enumerate(each):
            try:
                if self._kind_decoder.decode(one).kind not in KINDS:
                    continue
                message = self._one_decoder.decode(one)
                if isinstance(message, _Trade):
                    frame.prints.append(self._print(message.symbol, message, frame.unknown_conditions))
                else:
                    self._take(message, frame, raw, place)
            except (msgspec.MsgspecError, UnicodeDecodeError, BadTradeError) as error:
                frame.bad.append(BadMessage(bytes(one), f"not a message of alpaca: {error}"))

    def _raw(self, frame: bytes, place: int) -> bytes:
        return bytes(self._raw_decoder.decode(frame)[place])

    def _take(self, message: _Message, frame: Frame, raw: bytes, place: int) -> None:
        """Take what is no trade."""
        if isinstance(message, _Cancel):
            frame.notes.append(self._cancel(message, self._raw(raw, place)))
        elif isinstance(message, _Corrected):
            frame.notes.append(self._correct(message, self._raw(raw, place)))
        elif isinstance(message, _Status):
            event = HALTS.get((message.z, message.sc))
            if event is not None:
                time = self._times.text(self._times.nanos(message.t))
                words = ": ".join(one for one in (message.sm, message.rm) if one)
                frame.notes.append(
                    FeedEvent(time, self.name, event, self._symbol(message.symbol), reason=words or None)
                )
        elif isinstance(message, _Error) and message.code != ALREADY_AUTHENTICATED:
            words = f"{message.code} {message.msg}"
            if message.code == SLOW_CLIENT:
                frame.notes.append(Skipped(words))
            frame.notes.append(Refusal(words, HINTS.get(message.code)))

    # --- trades ---

    def _print(self, symbol: str, trade: _Trade | _Row, unknown_conditions: list[str]) -> Print:
        tape_ns = self._times.nanos(trade.t)
        price = price_text(str(trade.p, "utf-8"))
        size = size_text(str(trade.s, "utf-8"))
        key = (trade.x, trade.z, trade.c)
        rest, unknown = self._rests.get(key) or self._rest(*key)
        unknown_conditions += unknown
        symbol = self._symbols.get(symbol) or self._symbol(symbol)
        trade_id = reference = f"alpaca-{symbol}-{self._days.text(tape_ns)}-{trade.x}-{trade.i}"
        if trade.x == FACILITIES:
            trade_id, reference = f"{trade_id}-{tape_ns}", f"{trade_id}-{price}-{size}"
        time = trade.t  # with nine digits it is the topic's text
        if len(time) != _TIME_CHARS or time[10] != "T" or time[-1] != "Z":
            time = self._times.text(tape_ns)
        value = trade_text(
            time,
            trade_id,
            symbol,
            price,
            size,
            "N",
            self.source,
            f'{rest},"extra":{{"id":{trade.i}}}',
        )
        return Print(symbol, trade_id, tape_ns, 0, value, reference)

    def _reference(self, symbol: str, day: str, exchange: str, number: int, price: str, size: str) -> str:
        """Return what corrections name a trade by; see `Print.reference`."""
        name = f"alpaca-{self._symbol(symbol)}-{day}-{_exchange(exchange)}-{number}"
        return f"{name}-{price}-{size}" if exchange == FACILITIES else name

    def _rest(self, exchange: str, tape: str, letters: tuple[str, ...] | None) -> tuple[str, tuple[str, ...]]:
        """Return the text of a trade's fields for its exchange, tape and conditions, and the unknown ones."""
        raw = letters or ()
        judged = judge(raw, BY_LETTER.get(tape, {}))
        shown = f',"tape":"{tape}"' if tape in BY_LETTER else ""
        text = f',"venue":"{_exchange(exchange)}"{shown}{conditions_fields(judged, raw)}'
        if len(self._rests) >= _MOST_REMEMBERED:
            self._rests.clear()
        self._rests[exchange, tape, letters] = text, judged.unknown
        return text, judged.unknown

    def _symbol(self, symbol: str) -> str:
        if len(self._symbols) >= 2 * _MOST_REMEMBERED:
            self._symbols.clear()
        self._symbols[symbol] = check_symbol(symbol)
        return symbol

    # --- corrections ---

    def _cancel(self, message: _Cancel, raw: bytes) -> ReferringCorrection:
        action = CANCELS.get(message.a)
        if action is None:
            raise BadTradeError(f"an action that is neither C nor E ({message.a[:20]!r})")
        price, size = price_text(str(message.p, "utf-8")), size_text(str(message.s, "utf-8"))
        time_ns = self._times.nanos(message.t)
        reference = self._reference(
            message.symbol, self._days.text(time_ns), message.x, message.i, price, size
        )
        correction = Correction(
            self._times.text(time_ns),
            f"{reference}-c1",
            None,
            message.symbol,
            action,
            self.source,
            original=_original(message.i, message.x, price, size),
        )
        return self._referring(correction, reference, None, time_ns, message.x, raw)

    def _correct(self, message: _Corrected, raw: bytes) -> ReferringCorrection:
        price, size = price_text(str(message.op, "utf-8")), size_text(str(message.os, "utf-8"))
        new_price, new_size = price_text(str(message.cp, "utf-8")), size_text(str(message.cs, "utf-8"))
        time_ns = self._times.nanos(message.t)
        day = self._days.text(time_ns)
        reference = self._reference(message.symbol, day, message.x, message.oi, price, size)
        renamed = self._reference(message.symbol, day, message.x, message.ci, new_price, new_size)
        judged = judge(message.cc or (), BY_LETTER.get(message.z, {}))
        original = _original(message.oi, message.x, price, size)
        correction = Correction(
            self._times.text(time_ns),
            f"{reference}-c1",
            None,
            message.symbol,
            "correct",
            self.source,
            float(new_price),
            float(new_size),
            list(judged.names),
            original | {"conditions_raw": list(message.oc or ()), "corrected_id": message.ci},
        )
        return self._referring(correction, reference, renamed, time_ns, message.x, raw)

    def _referring(
        self,
        correction: Correction,
        reference: str,
        renamed: str | None,
        time_ns: int,
        exchange: str,
        raw: bytes,
    ) -> ReferringCorrection:
        """Return a correction with the question for its trade: one of this day, and the newest first."""
        moment = datetime.fromtimestamp(time_ns // 10**9, UTC).astimezone(self._days.zone)
        midnight = moment.replace(hour=0, minute=0, second=0).astimezone(UTC)
        path = self._path(
            correction.symbol,
            midnight.strftime("%Y-%m-%dT%H:%M:%SZ"),
            f"&end={quote(self._times.text(time_ns))}&sort=desc",
        )
        lookup = HistoryRequest(correction.symbol, path, (path, reference, exchange != FACILITIES))
        return ReferringCorrection(correction, reference, renamed, lookup, raw)

    # --- history ---

    def _path(self, symbol: str, start: str, rest: str) -> str:
        return (
            f"/v2/stocks/trades?symbols={quote(symbol, safe='')}&start={quote(start)}"
            f"&limit={PAGE_TRADES}&feed={self._which}{rest}"
        )

    def history_headers(self) -> Mapping[str, str]:
        """See `Venue`."""
        return {"APCA-API-KEY-ID": self._key, "APCA-API-SECRET-KEY": self._secret}

    def history(self, wanted: Wanted) -> HistoryRequest | None:
        """See `Venue`."""
        path = self._path(wanted.symbol, self._times.text(wanted.place.since_ns), "&sort=asc")
        return HistoryRequest(wanted.symbol, path, (path, "", False))

    def decode_page(self, request: HistoryRequest, body: bytes) -> Page:
        """See `Venue`; of an answer to a correction's question, only the trades that it may be about."""
        path, reference, is_unique = request.state
        answer = self._answer_decoder.decode(body)
        page_token = answer.next_page_token
        following = None
        if page_token:
            following = HistoryRequest(
                request.symbol, f"{path}&page_token={quote(page_token, safe='')}", request.state
            )
        page = Page([], following)
        for raw in (answer.trades or {}).get(request.symbol) or ():
            try:
                row = self._row_decoder.decode(raw)
                if row.u != CORRECTED:
                    one = self._print(request.symbol, row, page.unknown_conditions)
                    page.prints.append(one)
                    if row.u:
                        page.corrections.append(self._updated(one, row))
            except (msgspec.MsgspecError, UnicodeDecodeError, BadTradeError) as error:
                page.bad.append(BadMessage(bytes(raw), f"not a trade of alpaca: {error}"))
        if not reference:
            return page
        matching = [one for one in page.prints if one.reference == reference]
        return Page(matching, None if is_unique and matching else following)

    def _updated(self, one: Print, row: _Row) -> Correction:
        """Return what a row's mark says; neither when it was made nor the new values are known."""
        action = UPDATES.get(row.u)
        if action is None:
            raise BadTradeError(f"an update that is not known ({row.u[:20]!r})")
        original = _original(row.i, row.x, price_text(str(row.p, "utf-8")), size_text(str(row.s, "utf-8")))
        return Correction(
            self._times.text(one.tape_ns),
            f"{one.reference}-c1",
            one.trade_id,
            one.symbol,
            action,
            self.source,
            original=original,
        )


def _exchange(code: str) -> str:
    if not (code.isascii() and code.isalnum() and len(code) <= 8):
        raise BadTradeError(f"the exchange is not a code of letters and digits ({code[:20]!r})")
    return code


def _original(number: int, exchange: str, price: str, size: str) -> dict[str, int | float | str]:
    return {"id": number, "exchange": exchange, "price": float(price), "size": float(size)}
