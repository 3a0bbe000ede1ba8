"""Coinbase Exchange: the channel `matches`, without an account.

Each product's trades are numbered without a gap; a heartbeat tells the last number each second. A venue's
trade names the maker's side, Tapewatch the taker's. `trade_id` is `coinbase-<product>-<YYYYMMDD, UTC>-<n>`.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec

from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.login import open_and_log_in
from services.sources.feeds.messages import (
    BadMessage,
    Frame,
    HistoryRequest,
    LastNumber,
    Page,
    Print,
    Refusal,
)
from services.sources.feeds.numbered_keeper import NumberedKeeper
from services.sources.feeds.numbered_print import numbered_print
from services.sources.feeds.place import Place
from services.sources.feeds.trade_text import BadTradeError, Times
from services.sources.feeds.venue import Connection, Venue
from services.sources.feeds.websocket import Websocket, open_websocket

URL = "wss://ws-feed.exchange.coinbase.com"
REST_URL = "https://api.exchange.coinbase.com"
PAGE_TRADES = 1_000
UNKNOWN_PRODUCT = "is not a valid product"
HINT = "Check the products' names: as Coinbase writes them, BTC-USD."
TAKER_SIDES = {"sell": "B", "buy": "A"}


class _Message(msgspec.Struct, gc=False):
    """A message of the websocket, or a trade of the history; each kind has its own of these fields."""

    type: str = ""
    product_id: str = ""
    trade_id: int = 0
    last_trade_id: int = 0
    price: str = ""
    size: str = ""
    side: Literal["buy", "sell", ""] = ""
    time: str = ""
    message: str = ""
    reason: str = ""


class Coinbase(Venue):
    """See the module and `Venue`."""

    name = "coinbase"
    source: ClassVar[str] = "coinbase"
    heartbeat_s: ClassVar[float | None] = 1.0
    is_numbered: ClassVar[bool] = True
    request_interval_s = 0.13  # 8 a second are allowed

    def __init__(self, symbols: Sequence[str], url: str | None = None, rest_url: str | None = None) -> None:
        super().__init__(symbols, url or URL, rest_url or REST_URL)
        self._times = Times()
        self._decoder = msgspec.json.Decoder(_Message)
        self._page_decoder = msgspec.json.Decoder(list[msgspec.Raw])

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`."""
        return NumberedKeeper(symbol, shared, place)

    async def connect(self) -> Connection:
        """See `Venue`."""
        return await open_and_log_in(open_websocket(f"{self.url}/"), self._subscribe)

    async def _subscribe(self, connection: Websocket) -> None:
        subscription: dict[str, Any] = {
            "type": "subscribe",
            "product_ids": list(self.symbols),
            "channels": ["matches", "heartbeat"],
        }
        await connection.send(msgspec.json.encode(subscription).decode())

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`."""
        frame = Frame()
        try:
            message = self._decoder.decode(raw)
            kind = message.type
            if kind in ("match", "last_match"):
                frame.prints.append(self._print(message, message.product_id))
            elif kind == "heartbeat":
                if message.last_trade_id > 0:
                    frame.notes.append(LastNumber(message.product_id, message.last_trade_id))
            elif kind == "error":
                words = f"{message.message} {message.reason}".strip()
                frame.notes.append(Refusal(words, HINT if UNKNOWN_PRODUCT in words else None))
        except (msgspec.MsgspecError, UnicodeDecodeError, BadTradeError) as error:
            frame.bad.append(BadMessage(raw, f"not a message of coinbase: {error}"))
        return frame

    def history(self, wanted: Wanted) -> HistoryRequest | None:
        """See `Venue`; the newest trades first where it is not known how far to ask."""
        if wanted.until is None:
            path = f"/products/{wanted.symbol}/trades?limit={PAGE_TRADES}"
            return HistoryRequest(wanted.symbol, path, (wanted.place.number + 1, None, None, []))
        return self._window(wanted.symbol, wanted.place.number + 1, wanted.until)

    def _window(self, symbol: str, first: int, last: int) -> HistoryRequest | None:
        """Ask for the next trades from `first` on, as many as an answer holds."""
        if first > last:
            return None
        end = min(last, first + PAGE_TRADES - 1)
        return self._below(symbol, first, end, last, end + 1, [])

    @staticmethod
    def _below(symbol: str, first: int, end: int, last: int, before: int, later: list[str]) -> HistoryRequest:
        """Ask for the trades from `first` to `end`, below a number; `later` are rows that came already."""
        path = f"/products/{symbol}/trades?limit={PAGE_TRADES}&after={before}"
        return HistoryRequest(symbol, path, (first, end, last, later))

    def decode_page(self, request: HistoryRequest, body: bytes) -> Page:
        """See `Venue`; an answer has the newest trade first."""
        first, end, last, later = request.state
        rows = [bytes(row).decode() for row in reversed(self._page_decoder.decode(body))]
        if end is None:  # the newest: now it is known how far to ask
            found, bad = self._prints(rows, request.symbol)
            if not found or found[0].number <= first:
                return Page(found, None, bad)
            return Page([], self._window(request.symbol, first, found[-1].number))
        rows += later
        found, bad = self._prints(rows, request.symbol)
        lowest = found[0].number if found else 0
        if len(rows) > len(later) and first < lowest <= end:  # fewer in an answer than asked for
            return Page([], self._below(request.symbol, first, end, last, lowest, rows))
        wanted = [one for one in found if first <= one.number <= end]
        return Page(wanted, self._window(request.symbol, end + 1, last), bad)

    def _prints(self, rows: Sequence[str], product: str) -> tuple[list[Print], list[BadMessage]]:
        found, bad = [], []
        for row in rows:
            try:
                found.append(self._print(self._decoder.decode(row), product))
            except (msgspec.MsgspecError, BadTradeError) as error:
                bad.append(BadMessage(row.encode(), f"not a trade of coinbase: {error}"))
        return found, bad

    def _print(self, message: _Message, product: str) -> Print:
        number = message.trade_id
        if number <= 0:
            raise BadTradeError("trade_id is not a number above 0")
        side = TAKER_SIDES.get(message.side)
        if side is None:
            raise BadTradeError("side is neither buy nor sell")
        tape_ns = self._times.nanos(message.time)
        return numbered_print(
            self._times, self.source, product, number, tape_ns, message.price, message.size, side
        )
