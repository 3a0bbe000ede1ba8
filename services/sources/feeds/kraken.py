"""Kraken's spot market: the channel `trade` of its websocket v2, without an account.

Each pair's trades are numbered without a gap; the last 50 come again with each subscription. Prices and sizes
are JSON numbers, which are kept as they are written. `trade_id` is `kraken-<pair>-<YYYYMMDD, UTC>-<n>`.

History is asked by time, and answers the trades after it, at most 1,000. A question begins a moment before
the last known trade: if that one is in the answer, and no number is left out behind it, nothing is missing.
If not, a print had a wrong time, and the question is asked again from earlier on.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

import msgspec

from services.common.errors import TapewatchError
from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.login import open_and_log_in
from services.sources.feeds.messages import BadMessage, Frame, HistoryRequest, Page, Print, Refusal
from services.sources.feeds.numbered_keeper import NumberedKeeper
from services.sources.feeds.numbered_print import numbered_print
from services.sources.feeds.place import Place
from services.sources.feeds.trade_text import BadTradeError, Times
from services.sources.feeds.venue import Connection, RefusedError, Venue
from services.sources.feeds.websocket import Websocket, open_websocket

URL = "wss://ws.kraken.com"
REST_URL = "https://api.kraken.com"
PAIR = re.compile(r"[A-Z0-9.]{1,20}/[A-Z0-9.]{1,10}", re.ASCII)
PAIR_HINT = "Write pairs as Kraken's websocket v2 does: BTC/USD, not XBTUSD."
EARLIER_S = (60, 3_600, 86_400)
"""How much earlier a question is asked again while an answer leaves something out, in seconds."""

MARGIN_NS = 1_000
"""A question begins so long before a known trade: the websocket's times have no nanoseconds."""

PAGE_TRADES = 1_000
END_PRINTS = 21
"""The middle one of the times of so many trades, or a quarter of an answer, is about that of the last one."""


SIDES = {"buy": "B", "sell": "A", "b": "B", "s": "A"}  # the taker's
PASSING = ("EService", "EGeneral:Internal", "EGeneral:Temporary", "EAPI:Rate", "EGeneral:Too many")
"""How errors begin that a later try may not meet."""


class _Trade(msgspec.Struct, gc=False):
    """A trade of the websocket."""

    symbol: str
    side: Literal["buy", "sell"]
    price: msgspec.Raw
    qty: msgspec.Raw
    trade_id: int
    timestamp: str


class _Message(msgspec.Struct, gc=False):
    """A message of the websocket; each kind has its own of these fields."""

    channel: str = ""
    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")
    method: str = ""
    success: bool = True
    error: str = "refused"


class _Answer(msgspec.Struct, gc=False):
    """An answer of the history: the rows under the pair's name, and `last`."""

    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


class Kraken(Venue):
    """See the module and `Venue`.

    Raises
    ------
    TapewatchError
        A symbol is not written as a pair of Kraken's.
    """

    name = "kraken"
    source: ClassVar[str] = "kraken"
    is_numbered: ClassVar[bool] = False  # its history is asked by time
    heartbeat_s: ClassVar[float | None] = 1.0
    request_interval_s = 1.0

    def __init__(self, symbols: Sequence[str], url: str | None = None, rest_url: str | None = None) -> None:
        super().__init__(symbols, url or URL, rest_url or REST_URL)
        for symbol in symbols:
            if PAIR.fullmatch(symbol) is None:
                raise TapewatchError(f"{symbol!r} is no pair of Kraken's.", PAIR_HINT)
        self._times = Times()
        self._decoder = msgspec.json.Decoder(_Message)
        self._list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
        self._trade_decoder = msgspec.json.Decoder(_Trade)
        self._answer_decoder = msgspec.json.Decoder(_Answer)
        # price, volume, time in s, side, market or limit order, a note, the trade's number
        self._row_decoder = msgspec.json.Decoder(
            tuple[str, str, msgspec.Raw, Literal["b", "s"], Any, Any, int]
        )

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`."""
        return NumberedKeeper(symbol, shared, place)

    async def connect(self) -> Connection:
        """See `Venue`."""
        return await open_and_log_in(open_websocket(f"{self.url}/v2"), self._subscribe)

    async def _subscribe(self, connection: Websocket) -> None:
        wanted = {"channel": "trade", "symbol": list(self.symbols), "snapshot": True}
        await connection.send(msgspec.json.encode({"method": "subscribe", "params": wanted}).decode())

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`."""
        frame = Frame()
        try:
            message = self._decoder.decode(raw)
            if message.channel == "trade":
                self._take_trades(frame, message)
            elif message.method and not message.success:
                may_pass = message.error.startswith(PASSING)
                frame.notes.append(Refusal(message.error, None if may_pass else PAIR_HINT))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            frame.bad.append(BadMessage(raw, f"not a message of kraken: {error}"))
        return frame

    def _take_trades(self, frame: Frame, message: _Message) -> None:
        for raw in self._list_decoder.decode(message.data):
            try:
                trade = self._trade_decoder.decode(raw)
                frame.prints.append(
                    self._print(
                        trade.symbol,
                        trade.trade_id,
                        bytes(trade.price).decode(),
                        bytes(trade.qty).decode(),
                        self._times.nanos(trade.timestamp),
                        trade.side,
                    )
                )
            except (msgspec.MsgspecError, BadTradeError) as error:
                frame.bad.append(BadMessage(bytes(raw), f"not a trade of kraken: {error}"))
        if message.type == "snapshot":
            frame.prints.sort(key=lambda one: one.number)

    def history(self, wanted: Wanted) -> HistoryRequest | None:
        """See `Venue`."""
        place = wanted.place
        return self._after(wanted.symbol, place.number, wanted.until, place.time_ns, place.time_ns)

    @staticmethod
    def _after(
        symbol: str, last: int, until: int | None, last_ns: int, from_ns: int, tries: int = 0, top: int = 0
    ) -> HistoryRequest | None:
        """Ask for trades.

        Parameters
        ----------
        symbol
            The pair.
        last, until
            The number before the first one wanted, 0 if it is not known; and the last one wanted, None for
            all there are.
        last_ns
            About when `last` was.
        from_ns
            From when on to ask.
        tries
            How often an answer left something out: this one begins so much earlier.
        top
            The greatest number of this try's answers so far, none of which went beyond `last`.
        """
        if until is not None and last >= until:
            return None
        # The history knows pairs without the slash, and BTC as well as XBT.
        query = urlencode({"pair": symbol.replace("/", ""), "since": max(0, from_ns - MARGIN_NS)})
        return HistoryRequest(symbol, f"/0/public/Trades?{query}", (last, until, last_ns, tries, top))

    def _from_earlier(
        self, symbol: str, last: int, until: int | None, last_ns: int, tries: int
    ) -> HistoryRequest | None:
        """Ask again, as an answer left something out."""
        if tries >= len(EARLIER_S):
            return None
        from_ns = last_ns - EARLIER_S[tries] * 10**9
        return self._after(symbol, last, until, last_ns, from_ns, tries + 1)

    def decode_page(self, request: HistoryRequest, body: bytes) -> Page:
        """See `Venue`."""
        symbol = request.symbol
        last, until, last_ns, tries, top = request.state
        found, bad = self._rows(body, symbol)
        numbers = [one.number for one in found]
        if tries and numbers and top < numbers[-1] <= last:  # asked from earlier on, and not there yet
            walk = self._after(symbol, last, until, last_ns, _end_ns(found), tries, numbers[-1])
            return Page([], walk, bad)
        fresh = [one for one in found if one.number > last]
        whole = [one for number, one in enumerate(fresh, last + 1) if one.number == number]
        if last and (len(whole) < len(fresh) or (not fresh and last not in numbers)):
            if whole:
                last, last_ns = whole[-1].number, _end_ns([*found[: -len(fresh)], *whole])
            again = self._from_earlier(symbol, last, until, last_ns, tries)
            if again is not None:
                return Page(_up_to(whole, until), again, bad)
        following = None
        if fresh and (until is not None or len(found) >= PAGE_TRADES):  # else it has no more for now
            end_ns = _end_ns(found)
            following = self._after(symbol, numbers[-1], until, end_ns, end_ns)
        return Page(_up_to(fresh, until), following, bad)

    def _rows(self, body: bytes, symbol: str) -> tuple[list[Print], list[BadMessage]]:
        """Return an answer's trades by their numbers, and the rows that are none.

        Raises
        ------
        ValueError, RefusedError
            As `decode_page`; errors come with the HTTP status 200.
        """
        answer = self._answer_decoder.decode(body)
        if answer.error:
            words = ", ".join(answer.error)
            if words.startswith(PASSING):
                raise ValueError(words)
            raise RefusedError(words, PAIR_HINT)
        names = [name for name in answer.result if name != "last"]
        if len(names) != 1:
            raise ValueError("it is not the answer for one pair")
        found: dict[int, Print] = {}
        bad = []
        for raw in self._list_decoder.decode(answer.result[names[0]]):
            try:
                price, size, time_s, side, _, _, number = self._row_decoder.decode(raw)
                found[number] = self._print(symbol, number, price, size, _nanos(bytes(time_s).decode()), side)
            except (msgspec.MsgspecError, BadTradeError) as error:
                bad.append(BadMessage(bytes(raw), f"not a trade of kraken: {error}"))
        return [found[number] for number in sorted(found)], bad

    def _print(self, symbol: str, number: int, price: str, size: str, tape_ns: int, side: str) -> Print:
        if number <= 0:
            raise BadTradeError("trade_id is not a number above 0")
        return numbered_print(self._times, self.source, symbol, number, tape_ns, price, size, SIDES[side])


def _nanos(seconds: str) -> int:
    """Return the history's time, decimal text of seconds, as the websocket has it: whole microseconds."""
    whole, _, fraction = seconds.partition(".")
    if not (whole.isdecimal() and whole.isascii() and (not fraction or fraction.isdecimal())):
        raise BadTradeError(f"the time is not seconds since 1970 ({seconds[:40]!r})")
    return int(whole) * 10**9 + int(fraction[:6].ljust(6, "0")) * 1_000


def _end_ns(prints: Sequence[Print]) -> int:
    """Return about when prints end, whatever the time of a few of them."""
    times = sorted(one.tape_ns for one in prints[-min(END_PRINTS, len(prints) // 4 + 1) :])
    return times[len(times) // 2]


def _up_to(prints: list[Print], until: int | None) -> list[Print]:
    return prints if until is None else [one for one in prints if one.number <= until]
