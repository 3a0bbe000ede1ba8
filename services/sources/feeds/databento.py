"""Databento's live gateway: trades, and trading status where the plan has it, of one dataset.

The gateway replays its stream of the last 24 hours from a time on, before it is live; so nothing is missing
after a lost connection. A trade has the id and the bytes that it has when read from Databento's files.
`ts_recv`, in whose order the stream is, is the tape's time; a replay is asked by `ts_event`, from earlier on.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import ClassVar

from databento_dbn import (
    DBNDecoder,
    DBNError,
    ErrorCode,
    ErrorMsg,
    Metadata,
    RType,
    StatusAction,
    StatusMsg,
    SymbolMappingMsg,
    SystemCode,
    SystemMsg,
)

from services.common.errors import TapewatchError
from services.contracts.feed_event import EventName, FeedEvent
from services.sources.columns import SIDES
from services.sources.databento.instruments import told_symbol
from services.sources.databento.schema import UNDEFINED_PRICE, UNDEFINED_SIZE, UNDEFINED_TIME
from services.sources.databento.trade_ids import PrintIds
from services.sources.feeds.credentials import key_of
from services.sources.feeds.databento_gateway import (
    KEY_HINT,
    Subscription,
    address,
    log_in,
    subscribe,
)
from services.sources.feeds.keeper import Keeper, Shared
from services.sources.feeds.login import open_and_log_in
from services.sources.feeds.messages import AgedOut, BadMessage, Frame, Print, Refusal, Replayed, Skipped
from services.sources.feeds.place import Place
from services.sources.feeds.tcp import TcpConnection, open_tcp
from services.sources.feeds.timed_keeper import ReplayKeeper
from services.sources.feeds.trade_text import BadTradeError, Times, check_symbol, trade_text
from services.sources.feeds.venue import Connection, Venue

HEARTBEAT_S = 5
REPLAY_OVERLAP_NS = 60 * 10**9
"""A replay begins so much before the last print: an event may be reported so much later than others."""

KNOWN_S = 0.5
"""Prints of so much of the tape are known by their ids; before, by their place in the stream."""

REPLAY_HOURS_NS = 24 * 3600 * 10**9
WATCHED_PRINTS = 64
"""The earliest `ts_recv` of the last so many prints is where the stream was, though some clocks be wrong."""

MAGIC = b"DBN"
METADATA_HEAD_BYTES = 8
UNIT_BYTES = 4
HEADER_BYTES = 16
TRADE = Struct("<BBHIQqIccBBQiI")
TRADE_KIND = int(RType.MBP_0)
LENGTHS = {
    int(RType.STATUS): (40, 40),
    int(RType.ERROR): (80, 320),
    int(RType.SYMBOL_MAPPING): (80, 176),
    int(RType.SYSTEM): (80, 320),
}
"""Bytes of the other records that matter, in version 1 of DBN and from 2 on; it cannot read shorter ones."""

SIDE_TEXTS = {side.encode(): side for side in SIDES}
MOST_PRICES = 1 << 16
PRICE_SCALE = 10**9
HALTS = (StatusAction.HALT, StatusAction.PAUSE, StatusAction.SUSPEND)
REFUSALS: Mapping[ErrorCode | int, str | None] = {
    ErrorCode.AUTH_FAILED: KEY_HINT,
    ErrorCode.API_KEY_DEACTIVATED: "Make a new key on Databento's site, and put it into the key's file.",
    ErrorCode.CONNECTION_LIMIT_EXCEEDED: None,  # a killed process's session may not have ended there yet
    ErrorCode.INVALID_SUBSCRIPTION: "Check the dataset, the symbols, and what the plan allows.",
    ErrorCode.INTERNAL_ERROR: None,
}
"""What to do about errors that end a session; None where a later try may succeed."""


class Databento(Venue):
    """See the module and `Venue`.

    Parameters
    ----------
    symbols
        Raw symbols.
    url
        `HOST:PORT`; None for the dataset's gateway.
    rest_url
        Not used: what the gateway does not replay any more is a lost gap.
    dataset
        Databento's name of the dataset.

    Raises
    ------
    TapewatchError
        A name is not one, or there is no key.
    """

    heartbeat_s: ClassVar[float | None] = float(HEARTBEAT_S)
    source: ClassVar[str] = "databento"

    def __init__(
        self, symbols: Sequence[str], url: str | None = None, rest_url: str | None = None, dataset: str = ""
    ) -> None:
        if re.fullmatch(r"[A-Z0-9]+(\.[A-Z0-9]+)+", dataset, re.ASCII) is None:
            raise TapewatchError(
                f"{dataset!r} is not a dataset of Databento.",
                "Name it as Databento does, such as XNAS.ITCH.",
            )
        for symbol in symbols:
            if symbol == "ALL_SYMBOLS" or re.fullmatch(r"[\x20-\x7e]{1,70}", symbol) is None or "|" in symbol:
                raise TapewatchError(
                    f"{symbol[:80]!r} is not a raw symbol of Databento.", "Name each one: --symbols MSFT,AAPL"
                )
        super().__init__(symbols, url, rest_url)
        self.name = f"databento:{dataset}"
        self._dataset = dataset
        self._address = address(url, dataset)
        self._key = ""
        self._times = Times()
        self._prices: dict[int, str] = {}
        self._wants_status = True
        self._starts: dict[str, int | None] = {}
        self._aged: set[str] = set()
        """Symbols whose replay is asked for as far back as there is, until prints come."""
        self._first_ns: int | None = None
        """When the first session began."""
        self._watched_ns = 0
        """Up to here all that was subscribed to has come."""
        self._halted: set[str] = set()
        self._version = 3
        self._begin()

    def _begin(self) -> None:
        """Forget what belongs to a connection."""
        self._symbols_by_id: dict[int, str] = {}
        self._ids = PrintIds()
        self._latest: deque[int] = deque(maxlen=WATCHED_PRINTS)
        self._replays_left = len({start for start in self._starts.values() if start is not None})
        self._unresolved = ""

    def read_keys(self) -> None:
        """See `Venue`."""
        self._key = key_of("DATABENTO")

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        """See `Venue`."""
        return ReplayKeeper(symbol, shared, place, KNOWN_S)

    def resume_from(self, places: Mapping[str, Place]) -> None:
        """See `Venue`."""
        if not self._replays_left and len(self._latest) == WATCHED_PRINTS:
            self._watched_ns = max(self._watched_ns, min(self._latest))
        starts = {}
        for symbol in self.symbols:
            place = places.get(symbol)
            since_ns = max(place.since_ns if place else 0, self._watched_ns) - REPLAY_OVERLAP_NS
            if place is None and self._first_ns is not None:
                since_ns = max(since_ns, self._first_ns)
            if since_ns > 0:
                starts[symbol] = since_ns
        starts = group_starts({symbol: start for symbol, start in starts.items() if symbol not in self._aged})
        self._starts = {symbol: 0 if symbol in self._aged else starts.get(symbol) for symbol in self.symbols}

    async def connect(self) -> Connection:
        """See `Venue`."""
        return await open_and_log_in(open_tcp(*self._address, whole_records), self._log_in)

    async def _log_in(self, connection: TcpConnection) -> None:
        await log_in(connection, self._key, self._dataset, HEARTBEAT_S)
        await subscribe(connection, self._subscriptions())

    def _subscriptions(self) -> list[Subscription]:
        by_start: dict[int | None, list[str]] = {}
        for symbol in self.symbols:
            by_start.setdefault(self._starts.get(symbol), []).append(symbol)
        asked = [Subscription("trades", tuple(symbols), start) for start, symbols in by_start.items()]
        if self._wants_status:
            asked.append(Subscription("status", self.symbols, None))
        return asked

    def decode(self, raw: bytes) -> Frame:
        """See `Venue`; a frame is some whole records, or the metadata before them."""
        frame = Frame()
        if raw.startswith(MAGIC):
            self._decode_metadata(raw, frame)
            return frame
        prints, end, at = frame.prints, len(raw), 0
        trade_bytes, unpack = TRADE.size, TRADE.unpack_from
        while at < end:
            length = raw[at] * UNIT_BYTES
            following = at + length
            if length < HEADER_BYTES or following > end:
                frame.bad.append(BadMessage(raw[at : at + HEADER_BYTES], "not a record of DBN"))
                frame.notes.append(Refusal("the stream is damaged", None))
                break
            if raw[at + 1] != TRADE_KIND:
                if not self._decode_other(raw[at:following], frame):
                    break
            else:
                try:
                    if length < trade_bytes:
                        raise BadTradeError("a trade's record is too short")
                    prints.append(self._print(*unpack(raw, at)))
                except BadTradeError as error:
                    frame.bad.append(BadMessage(raw[at:following], str(error)))
            at = following
        if prints:
            self._latest.extend([one.tape_ns for one in prints[-WATCHED_PRINTS:]])
            self._aged.clear()
        return frame

    def _print(
        self,
        _length: int,
        kind: int,
        publisher_id: int,
        instrument_id: int,
        ts_event: int,
        price: int,
        size: int,
        action: bytes,
        side: bytes,
        flags: int,
        depth: int,
        ts_recv: int,
        ts_in_delta: int,
        sequence: int,
    ) -> Print:
        if ts_event == UNDEFINED_TIME or ts_recv == UNDEFINED_TIME:
            raise BadTradeError(f"ts_{'event' if ts_event == UNDEFINED_TIME else 'recv'} is undefined")
        if price == UNDEFINED_PRICE or size == UNDEFINED_SIZE:
            raise BadTradeError(f"{'price' if price == UNDEFINED_PRICE else 'size'} is undefined")
        side_text = SIDE_TEXTS.get(side)
        if side_text is None:
            raise BadTradeError(f"side is not one of {', '.join(SIDES)}")
        symbol = self._symbols_by_id.get(instrument_id)
        if symbol is None:
            raise BadTradeError("the stream names no symbol for its instrument_id")
        if not action.isalpha():
            raise BadTradeError("action is not a letter")
        time = self._times.text(ts_event)
        received = self._times.text(ts_recv)
        day = f"{time[:4]}{time[5:7]}{time[8:10]}"
        trade_id = self._ids.name(publisher_id, instrument_id, day, sequence, ts_event)
        value = trade_text(
            time,
            trade_id,
            symbol,
            self._prices.get(price) or self._price_text(price),
            str(size),
            side_text,
            "databento",
            f',"ts_recv":"{received}","publisher_id":{publisher_id},"instrument_id":{instrument_id}'
            f',"action":"{action.decode()}","depth":{depth},"flags":{flags},"ts_in_delta":{ts_in_delta}'
            f',"sequence":{sequence},"rtype":{kind}',
        )
        return Print(symbol, trade_id, ts_recv, 0, value)

    def _price_text(self, price: int) -> str:
        """Return a price in units of 1e-9 as the topic writes it, and remember it."""
        whole, part = divmod(abs(price), PRICE_SCALE)
        decimals = f"{part:09d}".rstrip("0") or "0"
        text = f"{'-' if price < 0 else ''}{whole}.{decimals}"
        if len(self._prices) >= MOST_PRICES:
            self._prices.clear()
        self._prices[price] = text
        return text

    def _decode_metadata(self, raw: bytes, frame: Frame) -> None:
        """Begin a stream."""
        try:
            metadata = Metadata.decode(raw)
        except (DBNError, ValueError) as error:
            frame.bad.append(BadMessage(raw, f"not the metadata of DBN: {error}"))
            frame.notes.append(Refusal("the stream is damaged", None))
            return
        self._version = metadata.version
        self._begin()
        if self._first_ns is None:
            self._first_ns = metadata.start

    def _decode_other(self, raw: bytes, frame: Frame) -> bool:
        """Read a record that is no trade; returns whether the stream goes on after it."""
        lengths = LENGTHS.get(raw[1])
        if lengths is None:
            return True
        first, later = lengths
        if len(raw) != first and len(raw) < later:
            frame.bad.append(BadMessage(raw, "a record of DBN is too short"))
            return True
        decoder = DBNDecoder(has_metadata=False, input_version=self._version)
        try:
            decoder.write(raw)
            for record in decoder.decode():
                if isinstance(record, SymbolMappingMsg):
                    self._map(record)
                elif isinstance(record, SystemMsg):
                    self._take_system(record, frame)
                elif isinstance(record, StatusMsg):
                    self._take_status(record, frame)
                elif isinstance(record, ErrorMsg):
                    return self._take_error(record, raw, frame)
        except (DBNError, ValueError) as error:
            frame.bad.append(BadMessage(raw, f"not a record of DBN: {error}"))
        return True

    def _map(self, record: SymbolMappingMsg) -> None:
        symbol = told_symbol(record.stype_in_symbol, record.stype_out_symbol)
        self._symbols_by_id[record.instrument_id] = check_symbol(symbol)

    def _take_system(self, record: SystemMsg, frame: Frame) -> None:
        if record.code == SystemCode.SLOW_READER_WARNING:
            frame.notes.append(Skipped(record.msg))
        elif record.code == SystemCode.REPLAY_COMPLETED:
            # Once for the schema, or for each time of start: after as many nothing old comes any more.
            self._replays_left = max(0, self._replays_left - 1)
            if not self._replays_left:
                self._latest.clear()
                frame.notes.append(Replayed())
        elif record.is_heartbeat():
            if self._unresolved and not self._symbols_by_id:
                hint = f"Check the symbols' names: as {self._dataset} writes them."
                frame.notes.append(Refusal(self._unresolved, hint))
            if not self._replays_left:
                self._watched_ns = max(self._watched_ns, record.ts_event)

    def _take_status(self, record: StatusMsg, frame: Frame) -> None:
        """Report halts, and the trading after them."""
        symbol = self._symbols_by_id.get(record.instrument_id)
        if symbol is None:
            return
        if record.action in HALTS and symbol not in self._halted:
            self._halted.add(symbol)
            self._note_status("halt", symbol, record, frame)
        elif record.action == StatusAction.TRADING and symbol in self._halted:
            self._halted.discard(symbol)
            self._note_status("resume", symbol, record, frame)

    def _note_status(self, event: EventName, symbol: str, record: StatusMsg, frame: Frame) -> None:
        words = [_name(one) for one in (record.action, record.reason) if one is not None and int(one)]
        time = self._times.text(record.ts_event)
        frame.notes.append(FeedEvent(time, self.name, event, symbol, reason=", ".join(words)))

    def _take_error(self, record: ErrorMsg, raw: bytes, frame: Frame) -> bool:
        """Take what the gateway complains of; returns whether the stream goes on after it."""
        code, words = record.code, record.err
        if code == ErrorCode.SYMBOL_RESOLUTION_FAILED:
            self._unresolved = words
            frame.bad.append(BadMessage(raw, f"{self.name} does not know a symbol: {words}"))
            return True
        if code == ErrorCode.SKIPPED_RECORDS_AFTER_SLOW_READING:
            self._replays_left += 1  # not all has come: what was skipped is replayed
            frame.notes += [Skipped(words), Refusal(words, None)]
        elif code == ErrorCode.REPLAY_DATA_AGED_OUT:
            self._take_aged_out(record.ts_event, words, frame)
        elif code == ErrorCode.INVALID_SUBSCRIPTION and self._wants_status:
            self._wants_status = False  # the trades may do without it
            frame.notes.append(Refusal(f"{words} (asking for trades alone)", None))
        elif code in REFUSALS:
            frame.notes.append(Refusal(words, REFUSALS[code]))
        else:
            frame.bad.append(BadMessage(raw, f"{self.name} reports an error: {words}"))
            return True
        return False

    def _take_aged_out(self, now_ns: int, words: str, frame: Frame) -> None:
        """Ask for as much as there is of what is too old; the next time for as much as there is of all."""
        starts = [start for start in self._starts.values() if start]
        if not starts:
            frame.notes.append(Refusal(words, None))
            return
        until_ns = max(starts) if self._aged else max(min(starts), now_ns - REPLAY_HOURS_NS)
        symbols = [symbol for symbol, start in self._starts.items() if start and start <= until_ns]
        self._aged.update(symbols)
        frame.notes += [AgedOut(tuple(symbols), words), Refusal(words, None)]


def whole_records(data: bytes) -> int:
    """Return how many bytes of a stream of DBN are its metadata, or whole records.

    All are from the first byte on that is no record's: nobody can tell where the next one begins.
    """
    size = len(data)
    if MAGIC.startswith(data[: len(MAGIC)]):
        if size < METADATA_HEAD_BYTES:
            return 0
        end = METADATA_HEAD_BYTES + int.from_bytes(data[4:8], "little")
        return end if end <= size else 0
    at = 0
    while at < size:
        length = data[at] * UNIT_BYTES
        if length < HEADER_BYTES:
            return size
        if at + length > size:
            break
        at += length
    return at


def group_starts(starts: Mapping[str, int]) -> dict[str, int]:
    """Have symbols share the times from which they are replayed, as few subscriptions are fast.

    No symbol begins later than it has to, and none more than about twice as far back.

    Parameters
    ----------
    starts
        By symbol, in ns since 1970.
    """
    newest = max(starts.values(), default=0)
    grouped: dict[str, int] = {}
    group_start = None
    for symbol, start in sorted(starts.items(), key=lambda item: item[1]):
        if group_start is None or newest - group_start > 2 * (newest - start) + REPLAY_OVERLAP_NS:
            group_start = start
        grouped[symbol] = group_start
    return grouped


def _name(value: object) -> str:
    """Return what Databento calls a value, in words."""
    return str(getattr(value, "name", value)).lower().replace("_", " ")
