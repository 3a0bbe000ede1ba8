"""Massive's (formerly Polygon's) stocks: the trades of the US tapes, live or 15 minutes late, with a key.

The websocket's times are in ms, those of the history in ns: these are cut to ms, so that a trade is the same
however it came. (A flat file of the day keeps the ns.) The venue's sequence rises for each ticker, but not
without gaps. `trade_id` is `massive-<ticker>-<YYYYMMDD, New York, of the tape's time>-<sequence>`, as in the
flat files. What is corrected or cancelled later is told by the history alone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec

from services.contracts.correction import Action, Correction
from services.contracts.feed_event import EventName, FeedEvent
from services.sources.conditions import BY_NUMBER, judge
from services.sources.feeds.credentials import key_of
from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.massive_prints import Prints, milliseconds
from services.sources.feeds.messages import BadMessage, Frame, HistoryRequest, Page, Print, Refusal, Skipped
from services.sources.feeds.place import Place
from services.sources.feeds.timed_keeper import TimedKeeper
from services.sources.feeds.trade_text import BadTradeError, price_text, size_text
from services.sources.feeds.venue import Connection, ConnectionLostError, RefusedError, Venue
from services.sources.feeds.websocket import open_websocket
from services.sources.massive.trades import DAY_ZONE, NO_PRINTS

URLS = {"": "wss://socket.massive.com", "delayed": "wss://delayed.massive.com"}
REST_URL = "https://api.massive.com"
EVERYTHING = "*"
PAGE_TRADES = 50_000
OVERLAP_S = 5.0
ANSWER_TIMEOUT_S = 10.0
KEY_HINT = "Check the key in the file that TAPEWATCH_MASSIVE_KEY_FILE names."
PLAN_HINT = "Check the tickers, and that the key's plan has the trades of stocks for this feed."

ACTIONS: Mapping[int, Action] = {1: "correct", 7: "error", 8: "cancel"}
"""What became of a trade, by the column `correction` of the history."""

HALTS: Mapping[int, EventName] = {17: "halt", 18: "resume"}
"""What indicators of the channel LULD say; the venue has them for tickers that Nasdaq lists."""

_WELL = ("connected", "auth_success", "success")
_ENDING = ("max_connections", "force_disconnect", "auth_timeout")
"""What the venue says before it closes; a later try may succeed."""


class _Trade(msgspec.Struct, tag_field="ev", tag="T", gc=False):
    """A trade of the websocket."""

    sym: str
    p: msgspec.Raw
    t: int
    q: int
    s: msgspec.Raw = msgspec.Raw(b"0")
    ds: str = ""
    x: int = 0
    i: str = ""
    z: int = 0
    c: tuple[int, ...] = ()
    pt: int = 0
    trfi: int = 0


class _Band(msgspec.Struct, tag_field="ev", tag="LULD", gc=False):
    """The price band of a ticker, or a halt."""

    ticker: str = msgspec.field(name="T")
    t: int
    i: tuple[int, ...] = ()


class _Status(msgspec.Struct, tag_field="ev", tag="status", gc=False):
    """What the venue says about the connection."""

    status: str = ""
    message: str = ""


class _Row(msgspec.Struct, gc=False):
    """A trade of the history."""

    price: msgspec.Raw
    sip_timestamp: int
    sequence_number: int
    size: msgspec.Raw = msgspec.Raw(b"0")
    decimal_size: str = ""
    exchange: int = 0
    id: str = ""
    tape: int = 0
    conditions: tuple[int, ...] = ()
    participant_timestamp: int = 0
    trf_id: int = 0
    correction: int = 0


class _Answer(msgspec.Struct, gc=False):
    """An answer of the history."""

    status: str
    results: list[msgspec.Raw] = []
    next_url: str = ""


class Massive(Venue):
    """See the module and `Venue`.

    Parameters
    ----------
    symbols
        Tickers; `*` for all.
    url, rest_url
        As for every `Venue`.
    which
        `delayed`, or empty for the live feed.
    """

    source: ClassVar[str] = "massive"
    zone: ClassVar[str] = DAY_ZONE
    request_interval_s = 0.1

    def __init__(
        self, symbols: Sequence[str], url: str | None = None, rest_url: str | None = None, which: str = ""
    ) -> None:
        watches_all = EVERYTHING in symbols
        super().__init__((EVERYTHING,) if watches_all else symbols, url or URLS[which], rest_url or REST_URL)
        self.watches_all = watches_all
        self.name = f"massive:{which}" if which else "massive"
        self._is_delayed = bool(which)
        self._key = ""
        self._prints = Prints()
        self._decoder = msgspec.json.Decoder(list[_Trade | _Band | _Status])
        self._parts_decoder = msgspec.json.Decoder(list[msgspec.Raw])
        self._part_decoder = msgspec.json.Decoder(_Trade | _Band | _Status)
        self._answer_decoder = msgspec.json.Decoder(_Answer)
        self._row_decoder = msgspec.json.Decoder(_Row)

    def read_keys(self) -> None:
        """See `Venue`."""
        self._key = key_of("MASSIVE")

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`."""
        return TimedKeeper(symbol, shared, place, OVERLAP_S)

    async def connect(self) -> Connection:
        """See `Venue`."""
        connection = await open_websocket(f"{self.url}/stocks", KEY_HINT)
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._log_in(connection)
        except TimeoutError:
            await connection.close()
            raise ConnectionLostError("the venue does not answer the login") from None
        except (ConnectionLostError, RefusedError):
            await connection.close()
            raise
        # By themselves, as a plan may have the trades alone.
        for channel in ("T",) if self._is_delayed else ("T", "LULD"):
            await self._say(connection, "subscribe", ",".join(f"{channel}.{one}" for one in self.symbols))
        return connection

    async def _log_in(self, connection: Connection) -> None:
        await self._say(connection, "auth", self._key)
        while True:
            try:
                answer = self._decoder.decode(await connection.receive())
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise ConnectionLostError(
                    f"the login was answered with what is no message: {error}"
                ) from None
            for one in answer:
                if not isinstance(one, _Status) or one.status == "connected":
                    continue
                if one.status == "auth_success":
                    return
                words = f"{one.status}: {one.message}"
                raise RefusedError(words, KEY_HINT if one.status == "auth_failed" else None)

    @staticmethod
    async def _say(connection: Connection, action: str, params: str) -> None:
        await connection.send(msgspec.json.encode({"action": action, "params": params}).decode())

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`."""
        frame = Frame()
        try:
            parts = self._decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            parts = self._those_that_can_be_read(raw, frame)
        for one in parts:
            if isinstance(one, _Trade):
                try:
                    frame.prints.append(self._live(one))
                except BadTradeError as error:
                    frame.bad.append(_bad(msgspec.json.encode(one), error))
                    continue
                frame.unknown_conditions += self._prints.unknown(one.c)
            elif isinstance(one, _Status):
                self._take_status(one, frame)
            else:
                self._take_band(one, frame)
        return frame

    def _those_that_can_be_read(self, raw: bytes, frame: Frame) -> list[_Trade | _Band | _Status]:
        """Read a frame part by part, as one of them cannot be read."""
        found = []
        try:
            parts = self._parts_decoder.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            frame.bad.append(_bad(raw, error))
            return []
        for part in parts:
            try:
                found.append(self._part_decoder.decode(part))
            except msgspec.MsgspecError as error:
                frame.bad.append(_bad(bytes(part), error))
        return found

    def _live(self, one: _Trade) -> Print:
        return self._prints.make(
            one.sym,
            bytes(one.p).decode(),
            one.ds or bytes(one.s).decode(),
            one.t,
            one.pt,
            one.q,
            one.z,
            one.c,
            one.x,
            one.i,
            one.trfi,
        )

    def _take_status(self, one: _Status, frame: Frame) -> None:
        words = f"{one.status}: {one.message}"
        if one.status in _WELL:
            return
        if one.status == "slow_consumer":
            frame.notes.append(Skipped(words))
        elif one.status in _ENDING:
            frame.notes.append(Refusal(words, None))
        elif one.status == "error" and "LULD" not in one.message:
            frame.notes.append(Refusal(words, PLAN_HINT))
        else:  # such as a plan without the channel of halts: the trades come all the same
            frame.bad.append(_bad(msgspec.json.encode(one), words))

    def _take_band(self, one: _Band, frame: Frame) -> None:
        for indicator in one.i:
            event = HALTS.get(indicator)
            if event is None:
                continue
            try:
                time = self._prints.times.text(milliseconds(one.t) * 1_000_000)
            except BadTradeError as error:
                frame.bad.append(_bad(msgspec.json.encode(one), error))
                continue
            frame.notes.append(FeedEvent(time, self.name, event, one.ticker, reason=f"LULD {indicator}"))

    def history(self, wanted: Wanted) -> HistoryRequest | None:
        """See `Venue`."""
        start_ns = wanted.place.since_ns or wanted.place.time_ns
        query = urlencode(
            {
                "timestamp.gte": start_ns // 1_000_000 * 1_000_000,
                "order": "asc",
                "sort": "timestamp",
                "limit": PAGE_TRADES,
            }
        )
        return HistoryRequest(wanted.symbol, f"/v3/trades/{quote(wanted.symbol, safe='')}?{query}")

    def history_headers(self) -> Mapping[str, str]:
        """See `Venue`."""
        return {"Authorization": f"Bearer {self._key}"}

    def decode_page(self, request: HistoryRequest, body: bytes) -> Page:
        """See `Venue`."""
        answer = self._answer_decoder.decode(body)
        page = Page([], self._following(request, answer.next_url))
        changed: list[tuple[_Row, Print]] = []
        records: dict[tuple[int, str, int], _Row] = {}
        for raw in answer.results:
            try:
                row = self._row_decoder.decode(raw)
                no_print = NO_PRINTS.get(str(row.correction))
                if no_print is not None:
                    records[row.exchange, row.id, row.trf_id] = row
                    raise BadTradeError(f"correction {row.correction}: {no_print}")
                one = self._past(request.symbol, row)
            except (msgspec.MsgspecError, BadTradeError) as error:
                page.bad.append(_bad(bytes(raw), error))
                continue
            page.prints.append(one)
            page.unknown_conditions.extend(self._prints.unknown(row.conditions))
            if row.correction in ACTIONS:
                changed.append((row, one))
        for row, one in changed:
            record = records.get((row.exchange, row.id, row.trf_id))
            try:
                correction = self._correction(row, one, record)
            except BadTradeError as error:
                page.bad.append(_bad(msgspec.json.encode(record), error))
                correction = self._correction(row, one, None)
            page.corrections.append(correction)
        return page

    @staticmethod
    def _following(request: HistoryRequest, next_url: str) -> HistoryRequest | None:
        """Return the next question: the path and its cursor alone, as the rest may have a key in it."""
        if not next_url:
            return None
        parts = urlsplit(next_url)
        cursor = parse_qs(parts.query).get("cursor", [""])[0]
        if not parts.path.startswith("/v3/trades/") or not cursor:
            raise ValueError(f"the next page is not one of trades ({parts.path[:100]!r})")
        return HistoryRequest(request.symbol, f"{parts.path}?{urlencode({'cursor': cursor})}")

    def _past(self, symbol: str, row: _Row) -> Print:
        return self._prints.make(
            symbol,
            bytes(row.price).decode(),
            row.decimal_size or bytes(row.size).decode(),
            row.sip_timestamp,
            row.participant_timestamp,
            row.sequence_number,
            row.tape,
            row.conditions,
            row.exchange,
            row.id,
            row.trf_id,
        )

    def _correction(self, row: _Row, one: Print, record: _Row | None) -> Correction:
        """Return what became of a trade.

        Parameters
        ----------
        row, one
            The trade.
        record
            The record of its change, if the same answer has it: with the time, and the new values.
        """
        made_ns = one.tape_ns if record is None else milliseconds(record.sip_timestamp) * 1_000_000
        action = ACTIONS[row.correction]
        new = record if action == "correct" else None
        return Correction(
            self._prints.times.text(made_ns),
            f"{one.trade_id}-c{row.correction}",
            one.trade_id,
            one.symbol,
            action,
            self.source,
            price=None if new is None else float(price_text(bytes(new.price).decode())),
            size=None if new is None else float(size_text(new.decimal_size or bytes(new.size).decode())),
            conditions=None
            if new is None
            else list(judge([str(each) for each in new.conditions], BY_NUMBER).names),
            original={
                "exchange": row.exchange,
                "id": row.id,
                "trf_id": row.trf_id,
                "sequence": row.sequence_number,
                "price": float(bytes(row.price)),
                "size": float(row.decimal_size or bytes(row.size)),
            },
        )


def _bad(raw: bytes, error: Exception | str) -> BadMessage:
    return BadMessage(raw, f"not a message of massive: {error}")
