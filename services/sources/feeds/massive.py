"""Massive's (formerly Polygon's) stocks: the trades of the US tapes, live or 15 minutes late, with a key.

The websocket's times are in ms, those of the history in ns: these are cut to ms, so that a trade is the same
however it came. (A flat file of the day keeps the ns.) The venue's sequence rises for each ticker, but not
without gaps. `trade_id` is `massive-<ticker>-<YYYYMMDD, New York, of the tape's time>-<sequence>`, as in the
flat files. What is corrected or cancelled later is told by the history alone.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import quote, urlencode

import msgspec

from services.contracts.correction import Action, Correction
from services.contracts.feed_event import EventName, FeedEvent
from services.sources.conditions import BY_NUMBER, judge
from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.massive_prints import Prints, milliseconds
from services.sources.feeds.massive_venue import (
    DELAYED_URL,
    PAGE_ROWS,
    URL,
    MassiveVenue,
    Status,
    bad_message,
)
from services.sources.feeds.messages import Frame, HistoryRequest, Page, Print
from services.sources.feeds.place import Place
from services.sources.feeds.timed_keeper import TimedKeeper
from services.sources.feeds.trade_text import BadTradeError, price_text, size_text
from services.sources.massive.trades import NO_PRINTS

OVERLAP_S = 5.0

ACTIONS: Mapping[int, Action] = {1: "correct", 7: "error", 8: "cancel"}
"""What became of a trade, by the column `correction` of the history."""

HALTS: Mapping[int, EventName] = {17: "halt", 18: "resume"}
"""What indicators of the channel LULD say; the venue has them for tickers that Nasdaq lists."""


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


class Massive(MassiveVenue):
    """See the module and `MassiveVenue`.

    Parameters
    ----------
    symbols, url, rest_url
        See `MassiveVenue`.
    which
        `delayed`, or empty for the live feed.
    """

    history_path: ClassVar[str] = "/v3/trades/"

    def __init__(
        self, symbols: Sequence[str], url: str | None = None, rest_url: str | None = None, which: str = ""
    ) -> None:
        super().__init__(
            symbols,
            url or (DELAYED_URL if which else URL),
            rest_url,
            f"massive:{which}" if which else "massive",
            ("T",) if which else ("T", "LULD"),
            _Trade | _Band | Status,
        )
        self._prints = Prints()
        self._row_decoder = msgspec.json.Decoder(_Row)

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`."""
        return TimedKeeper(symbol, shared, place, OVERLAP_S)

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`."""
        frame = Frame()
        for one in self._messages(raw, frame):
            if isinstance(one, _Trade):
                try:
                    frame.prints.append(self._live(one))
                except BadTradeError as error:
                    frame.bad.append(bad_message(msgspec.json.encode(one), error))
                    continue
                frame.unknown_conditions += self._prints.unknown(one.c)
            else:
                self._take_band(one, frame)
        return frame

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

    def _take_band(self, one: _Band, frame: Frame) -> None:
        for indicator in one.i:
            event = HALTS.get(indicator)
            if event is None:
                continue
            try:
                time = self._prints.times.text(milliseconds(one.t) * 1_000_000)
            except BadTradeError as error:
                frame.bad.append(bad_message(msgspec.json.encode(one), error))
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
                "limit": PAGE_ROWS,
            }
        )
        return HistoryRequest(wanted.symbol, f"{self.history_path}{quote(wanted.symbol, safe='')}?{query}")

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
                page.bad.append(bad_message(bytes(raw), error))
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
                page.bad.append(bad_message(msgspec.json.encode(record), error))
                correction = self._correction(row, one, None)
            page.corrections.append(correction)
        return page

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
