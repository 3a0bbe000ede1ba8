"""Massive's bars of stocks: those of minutes by websocket, those of days by REST alone.

A bar is one print at its end: its price is the close, its size the volume, not adjusted for splits. Its id is
`<source>-<ticker>-<its end in ns>`, in the style of bars from files; the sources are `massive-minute` and
`massive-daily`. Minutes and days without a trade have no bar.
"""

import datetime as dt
import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import msgspec

from services.common.errors import TapewatchError
from services.sources.feeds.bar_keeper import BarKeeper
from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.massive_venue import (
    DELAYED_URL,
    EVERYTHING,
    KEY_HINT,
    PAGE_ROWS,
    REST_URL,
    URL,
    Answer,
    MassiveVenue,
    Status,
    bad_message,
)
from services.sources.feeds.messages import Frame, HistoryRequest, Page, Print
from services.sources.feeds.place import Place
from services.sources.feeds.polling import Polling
from services.sources.feeds.timed_keeper import TimedKeeper
from services.sources.feeds.trade_text import (
    BadTradeError,
    Times,
    check_symbol,
    price_text,
    size_text,
    trade_text,
)
from services.sources.feeds.venue import Connection, RefusedError, Venue

MINUTE_MS = 60_000
LEAST_MS = 10**11
"""A time before 1973 is not one in ms."""

DELAY_S = 15 * 60
SETTLED_S = 15
"""History has the whole bar of a minute that ended so long ago."""

OVERLAP_S = 30 * 60.0
"""Twice as long as the delayed feed may be behind the history."""

CLOSE = dt.time(16)
"""The regular end of New York's day, which is that of a daily bar; its volume may have later trades."""

DAY_SETTLED = dt.timedelta(hours=20, minutes=30)
"""At this time of New York's day, half an hour after the last trades, history has its whole bar."""

POLLED_DAYS = 10
POLL_S = 15 * 60.0
DAYS_OVERLAP_S = 20 * 86_400.0
"""More than are polled, so that no bar is taken for a new one."""


class _Minute(msgspec.Struct, tag_field="ev", tag="AM", gc=False):
    """A bar of the websocket."""

    sym: str
    s: int
    o: msgspec.Raw
    h: msgspec.Raw
    l: msgspec.Raw  # noqa: E741 - the venue's name
    c: msgspec.Raw
    v: msgspec.Raw
    dv: msgspec.Raw = msgspec.Raw(b"")


class _Row(msgspec.Struct, gc=False):
    """A bar of the history."""

    t: int
    o: msgspec.Raw
    h: msgspec.Raw
    l: msgspec.Raw  # noqa: E741 - the venue's name
    c: msgspec.Raw
    v: msgspec.Raw


class MassiveBars(MassiveVenue):
    """Bars of one length; parameters are those of `MassiveVenue`."""

    history_path: ClassVar[str] = "/v2/aggs/ticker/"
    span: ClassVar[str]
    """What the history calls the length."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._times = Times()
        self._row_decoder = msgspec.json.Decoder(_Row)

    @abstractmethod
    def end_ns(self, start_ms: int) -> int:
        """Return when a bar ends that begins at a time."""

    @abstractmethod
    def asked(self, since_ns: int) -> tuple[int | dt.date, int | dt.date]:
        """Return the beginnings of the first and the last bar to ask for, by the end of the first."""

    def history(self, wanted: Wanted) -> HistoryRequest | None:
        """See `Venue`."""
        return self._request(wanted.symbol, *self.asked(wanted.place.since_ns or wanted.place.time_ns))

    def _request(self, symbol: str, first: object, last: object) -> HistoryRequest:
        query = urlencode({"adjusted": "false", "sort": "asc", "limit": PAGE_ROWS})
        path = f"{self.history_path}{quote(symbol, safe='')}/range/1/{self.span}/{first}/{last}?{query}"
        return HistoryRequest(symbol, path)

    def decode_page(self, request: HistoryRequest, body: bytes) -> Page:
        """See `Venue`."""
        answer = self._answer_decoder.decode(body)
        page = Page([], self._following(request, answer.next_url))
        self._take_rows(request.symbol, answer, page)
        return page

    def _take_rows(self, symbol: str, answer: Answer, taken: Page | Frame) -> None:
        for raw in answer.results:
            try:
                row = self._row_decoder.decode(raw)
                taken.prints.append(self._bar(symbol, row.t, row, bytes(row.v)))
            except (msgspec.MsgspecError, BadTradeError) as error:
                taken.bad.append(bad_message(bytes(raw), error))

    def _bar(self, symbol: str, start_ms: int, bar: _Minute | _Row, volume: bytes) -> Print:
        if start_ms < LEAST_MS:
            raise BadTradeError(f"its time is not ms since 1970 ({start_ms})")
        end_ns = self.end_ns(start_ms)
        trade_id = f"{self.source}-{check_symbol(symbol)}-{end_ns}"
        opened, high, low, close = (price_text(bytes(one).decode()) for one in (bar.o, bar.h, bar.l, bar.c))
        value = trade_text(
            self._times.text(end_ns),
            trade_id,
            symbol,
            close,
            size_text(volume.decode()),
            "N",
            self.source,
            f',"kind":"bar","extra":{{"open":{opened},"high":{high},"low":{low}}}',
        )
        return Print(symbol, trade_id, end_ns, 0, value)


class MassiveMinutes(MassiveBars):
    """Bars of minutes, live or 15 minutes late.

    Parameters
    ----------
    symbols, url, rest_url
        See `MassiveVenue`.
    which
        `minute` or `delayed-minute`.
    """

    source: ClassVar[str] = "massive-minute"
    span: ClassVar[str] = "minute"

    def __init__(self, symbols: Sequence[str], url: str | None, rest_url: str | None, which: str) -> None:
        is_delayed = which == "delayed-minute"
        own_url = DELAYED_URL if is_delayed else URL
        kinds = _Minute | Status
        super().__init__(symbols, url or own_url, rest_url, f"massive:{which}", ("AM",), kinds)
        self._behind_ms = (SETTLED_S + DELAY_S * is_delayed) * 1_000

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`; of all tickers most have minutes without a trade, so these are not asked about."""
        bar_ns = None if self.watches_all else MINUTE_MS * 1_000_000
        return BarKeeper(symbol, shared, place, OVERLAP_S, SETTLED_S + 2.0, bar_ns)

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`."""
        frame = Frame()
        for one in self._messages(raw, frame):
            try:
                volume = bytes(one.dv).strip(b'"') or bytes(one.v)
                frame.prints.append(self._bar(one.sym, one.s, one, volume))
            except BadTradeError as error:
                frame.bad.append(bad_message(msgspec.json.encode(one), error))
        return frame

    def end_ns(self, start_ms: int) -> int:
        """See `MassiveBars`."""
        return (start_ms + MINUTE_MS) * 1_000_000

    def asked(self, since_ns: int) -> tuple[int, int]:
        """See `MassiveBars`; the last one is a whole minute that the feed has shown, too."""
        first_ms = since_ns // 1_000_000 - MINUTE_MS
        return first_ms, max(first_ms, time.time_ns() // 1_000_000 - self._behind_ms - MINUTE_MS)


class MassiveDays(MassiveBars):
    """Bars of days: each quarter of an hour history is asked for new ones.

    Parameters
    ----------
    symbols, rest_url
        See `MassiveVenue`.

    Raises
    ------
    TapewatchError
        All tickers are asked for.
    """

    source: ClassVar[str] = "massive-daily"
    span: ClassVar[str] = "day"
    heartbeat_s: ClassVar[float | None] = 30.0  # an answer may take as long as three of them

    def __init__(self, symbols: Sequence[str], rest_url: str | None) -> None:
        if EVERYTHING in symbols:
            raise TapewatchError(
                "massive:daily asks ticker by ticker, so it cannot watch all.",
                "Name them: --symbols AAPL,MSFT",
            )
        super().__init__(symbols, rest_url or REST_URL, rest_url, "massive:daily")
        self._zone = ZoneInfo(self.zone)

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`."""
        return TimedKeeper(symbol, shared, place, DAYS_OVERLAP_S)

    async def connect(self) -> Connection:
        """See `Venue`."""
        history = History(self)

        async def ask(symbol: str) -> bytes:
            _, last = self.asked(0)
            bodies: list[bytes] = []
            request = self._request(symbol, last - dt.timedelta(days=POLLED_DAYS), last)
            try:
                await history.ask(request, bodies.append)
            except HistoryUnavailableError as error:
                raise RefusedError(str(error), KEY_HINT) from None
            return bodies[0]

        return Polling(ask, self.symbols, POLL_S)

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`; a frame is an answer of the history, or empty."""
        frame = Frame()
        if raw:
            try:
                answer = self._answer_decoder.decode(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                frame.bad.append(bad_message(raw, error))
            else:
                self._take_rows(answer.ticker, answer, frame)
        return frame

    def end_ns(self, start_ms: int) -> int:
        """See `MassiveBars`."""
        try:
            day = dt.datetime.fromtimestamp(start_ms // 1_000, self._zone).date()
        except (OverflowError, ValueError) as error:
            raise BadTradeError(f"no calendar has its time ({error})") from None
        return int(dt.datetime.combine(day, CLOSE, self._zone).timestamp()) * 10**9

    def asked(self, since_ns: int) -> tuple[dt.date, dt.date]:
        """See `MassiveBars`; the last one is that of a day that is over."""
        first = dt.datetime.fromtimestamp(since_ns // 10**9, self._zone).date()
        now = dt.datetime.fromtimestamp(time.time(), self._zone)
        is_over = now.time() >= (dt.datetime.min + DAY_SETTLED).time()
        return first, max(first, now.date() - dt.timedelta(days=0 if is_over else 1))


def open_bars(symbols: Sequence[str], url: str | None, rest_url: str | None, which: str) -> Venue:
    """Return the feed of bars that is registered under a name.

    Parameters
    ----------
    symbols, url, rest_url
        See `MassiveVenue`.
    which
        `minute`, `delayed-minute` or `daily`.
    """
    if which == "daily":
        return MassiveDays(symbols, rest_url)
    return MassiveMinutes(symbols, url, rest_url, which)
