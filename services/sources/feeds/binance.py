"""Binance's spot market: the streams `<symbol>@trade`, without an account.

Each symbol's trades are numbered without a gap. The venue promises no heartbeat, ends each connection after
24 hours, and says before a server is shut down. `trade_id` is `binance-<symbol>-<YYYYMMDD, UTC>-<n>`, as in
the venue's public dumps; times are read in ms or µs, as their size tells.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import urlencode

import msgspec
import urllib3

from services.common.errors import TapewatchError
from services.common.process.background import in_background
from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.messages import BadMessage, Frame, HistoryRequest, Page, Print, Refusal
from services.sources.feeds.numbered_keeper import NumberedKeeper
from services.sources.feeds.numbered_print import numbered_print
from services.sources.feeds.place import Place
from services.sources.feeds.trade_text import BadTradeError, Times
from services.sources.feeds.venue import Connection, RefusedError, Venue
from services.sources.feeds.websocket import open_websocket

URL = "wss://data-stream.binance.vision"
REST_URL = "https://data-api.binance.vision"
PAGE_TRADES = 1_000
SYMBOL = re.compile(r"[A-Z0-9_]{2,30}", re.ASCII)
LEAST_MS, LEAST_US, MOST_US = 10**11, 10**14, 10**17
"""A time since 1970 is counted in ms below `LEAST_US`, and in µs from there on."""

CHECK_TIMEOUT_S = 5.0
BAD_REQUEST = 400
UNKNOWN_SYMBOL = b"-1121"
_TOO_MANY = 418
"""How the venue answers who asked on after a 429, with Retry-After as well."""


class _Trade(msgspec.Struct, gc=False):
    """The payload of a stream; only a trade has all these fields."""

    kind: str = msgspec.field(name="e", default="")
    symbol: str = msgspec.field(name="s", default="")
    number: int = msgspec.field(name="t", default=-1)
    price: str = msgspec.field(name="p", default="")
    size: str = msgspec.field(name="q", default="")
    time: int = msgspec.field(name="T", default=0)
    is_buyer_maker: bool | None = msgspec.field(name="m", default=None)


class _Message(msgspec.Struct, gc=False):
    """A message of the websocket: a stream's payload, or an event or an answer by itself."""

    data: _Trade | None = None
    kind: str = msgspec.field(name="e", default="")


class _Row(msgspec.Struct, gc=False):
    """A trade of the history."""

    id: int
    price: str
    qty: str
    time: int
    is_buyer_maker: bool = msgspec.field(name="isBuyerMaker")


class Binance(Venue):
    """See the module and `Venue`.

    Raises
    ------
    TapewatchError
        A symbol cannot be one of Binance's, which would send nothing for it and say nothing about it.
    """

    name = "binance"
    source: ClassVar[str] = "binance"
    is_numbered: ClassVar[bool] = True
    request_interval_s = 0.3  # a question costs 25 of 6,000 points a minute
    session_s: ClassVar[float | None] = 23 * 3600.0

    def __init__(self, symbols: Sequence[str], url: str | None = None, rest_url: str | None = None) -> None:
        super().__init__(symbols, url or URL, rest_url or REST_URL)
        for symbol in symbols:
            if SYMBOL.fullmatch(symbol) is None:
                raise TapewatchError(
                    f"{symbol!r} is no symbol of Binance's.", "Write it as the venue does: BTCUSDT."
                )
        self._is_checked = False
        self._times = Times()
        self._decoder = msgspec.json.Decoder(_Message)
        self._page_decoder = msgspec.json.Decoder(list[msgspec.Raw])
        self._row_decoder = msgspec.json.Decoder(_Row)

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`."""
        return NumberedKeeper(symbol, shared, place)

    async def connect(self) -> Connection:
        """See `Venue`."""
        if not self._is_checked:
            self._is_checked = await asyncio.wrap_future(in_background(self._check_symbols))
        streams = "/".join(f"{symbol.lower()}@trade" for symbol in self.symbols)
        return await open_websocket(f"{self.url}/stream?streams={streams}&timeUnit=MICROSECOND")

    def _check_symbols(self) -> bool:
        """Ask whether there are such symbols, as a stream without one is silent; returns if it was answered.

        Raises
        ------
        RefusedError
            There are not.
        """
        listed = msgspec.json.encode(self.symbols).decode()
        try:
            answer = urllib3.request(
                "GET",
                f"{self.rest_url}/api/v3/exchangeInfo",
                fields={"symbols": listed, "showPermissionSets": "false"},
                timeout=CHECK_TIMEOUT_S,
                retries=False,
            )
        except urllib3.exceptions.HTTPError:
            return False
        if answer.status == BAD_REQUEST and UNKNOWN_SYMBOL in answer.data:
            raise RefusedError(
                f"it does not have all of the symbols {', '.join(self.symbols)}",
                "Write them as Binance does: BTCUSDT, ETHBTC.",
            )
        return answer.status < BAD_REQUEST

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`."""
        frame = Frame()
        try:
            message = self._decoder.decode(raw)
            trade = message.data
            if trade is not None and trade.kind == "trade":
                frame.prints.append(
                    self._print(
                        trade.symbol,
                        trade.number,
                        trade.price,
                        trade.size,
                        trade.time,
                        trade.is_buyer_maker,
                    )
                )
            elif "serverShutdown" in (message.kind, trade.kind if trade is not None else ""):
                frame.notes.append(Refusal("the venue is about to shut this server down", None))
        except (msgspec.MsgspecError, UnicodeDecodeError, BadTradeError) as error:
            frame.bad.append(BadMessage(raw, f"not a message of binance: {error}"))
        return frame

    def history(self, wanted: Wanted) -> HistoryRequest | None:
        """See `Venue`."""
        return self._from(wanted.symbol, wanted.place.number + 1, wanted.until)

    @staticmethod
    def _from(symbol: str, first: int, until: int | None) -> HistoryRequest | None:
        """Ask for the trades from a number on, the oldest first."""
        if until is not None and first > until:
            return None
        query = urlencode({"symbol": symbol, "fromId": first, "limit": PAGE_TRADES})
        return HistoryRequest(symbol, f"/api/v3/historicalTrades?{query}", (until,))

    def history_headers(self) -> Mapping[str, str]:
        """See `Venue`; times as the streams have them."""
        return {"X-MBX-TIME-UNIT": "MICROSECOND"}

    def decode_page(self, request: HistoryRequest, body: bytes) -> Page:
        """See `Venue`."""
        rows = self._page_decoder.decode(body)
        prints, bad = [], []
        for raw in rows:
            try:
                row = self._row_decoder.decode(raw)
                prints.append(
                    self._print(request.symbol, row.id, row.price, row.qty, row.time, row.is_buyer_maker)
                )
            except (msgspec.MsgspecError, BadTradeError) as error:
                bad.append(BadMessage(bytes(raw), f"not a trade of binance: {error}"))
        [until] = request.state
        following = None
        if prints and (until is not None or len(rows) >= PAGE_TRADES):  # else it has no more for now
            following = self._from(request.symbol, prints[-1].number + 1, until)
        return Page(prints, following, bad)

    def refused_history(self, status: int, body: bytes) -> str | None:
        """See `Venue`."""
        return None if status == _TOO_MANY else super().refused_history(status, body)

    def _print(
        self, symbol: str, number: int, price: str, size: str, time: int, is_buyer_maker: bool | None
    ) -> Print:
        if number < 0:
            raise BadTradeError("the trade has no number of 0 or more")
        if is_buyer_maker is None:
            raise BadTradeError("it is not said whether the buyer was the maker")
        if not LEAST_MS <= time < MOST_US:
            raise BadTradeError(f"the time is neither ms nor µs since 1970 ({time})")
        tape_ns = time * (1_000 if time >= LEAST_US else 1_000_000)
        side = "A" if is_buyer_maker else "B"  # the taker sold, or bought
        return numbered_print(self._times, self.source, symbol, number, tape_ns, price, size, side)
