"""Keeps a venue's feed going: connect, fill what is missing, read on; and again after every end.

Any end that this process did not ask for is a lost connection, a clean close included. A refusal that no
later try can change ends the feed with the venue's words.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog

from services.common.errors import TapewatchError
from services.contracts.correction import Correction
from services.contracts.feed_event import EventName, FeedEvent
from services.sources.feeds import metrics
from services.sources.feeds.corrections import Corrections
from services.sources.feeds.handoff import Handoff
from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.keeper import Gap, Keeper, Shared, Wanted
from services.sources.feeds.messages import (
    AgedOut,
    BadMessage,
    Frame,
    HistoryRequest,
    LastNumber,
    Page,
    Print,
    ReferringCorrection,
    Refusal,
    Replayed,
    Skipped,
)
from services.sources.feeds.place import Place
from services.sources.feeds.recording import NO_RECORDING, Recording
from services.sources.feeds.trade_text import Times
from services.sources.feeds.venue import Connection, ConnectionLostError, RefusedError, Venue
from services.sources.feeds.waits import Waits

TICK_S = 0.1
HEARTBEATS_MISSED = 3
LEAST_SILENCE_S = 10.0
PROBE_AFTER_S = 30.0
"""Where a venue promises no heartbeat: after so long without a record, history is asked for newer prints."""

FILLS_AT_ONCE = 4
MOST_CONDITION_CHARS = 8
"""Of an unknown sale condition as a metric's label."""


class Session:
    """A venue's feed, from its connection to what is handed over.

    Parameters
    ----------
    venue
        The venue.
    places
        How far symbols were published before.
    recording
        Keeps what was received.
    waits
        Between tries to connect.
    """

    def __init__(
        self,
        venue: Venue,
        places: Mapping[str, Place],
        recording: Recording = NO_RECORDING,
        waits: Waits | None = None,
    ) -> None:
        self._venue = venue
        self._recording = recording
        self._waits = waits or Waits()
        self._log = structlog.get_logger().bind(venue=venue.name)
        self._times = Times()
        self._shared = Shared(self._record_gap)
        self.keepers: dict[str, Keeper] = {
            symbol: venue.keeper(symbol, self._shared, places.get(symbol))
            for symbol in (places if venue.watches_all else venue.symbols)
        }
        self.handoff = Handoff(self.keepers)
        self._corrections = Corrections(self._take_correction)
        self._events: list[FeedEvent] = []
        self._unsettled: set[str] = set()
        """Symbols whose keepers may want history."""
        self._fills: dict[str, asyncio.Task[None]] = {}
        self._fill_turns = asyncio.Semaphore(FILLS_AT_ONCE)
        self._history: History | None = None
        self._connection: Connection | None = None
        self._is_stopping = False
        self._last_record_s = 0.0
        self._last_print_symbol: str | None = None
        self._newest_ns = 0
        self._probe: asyncio.Task[None] | None = None
        self._lost_reason = ""
        self._closing: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self.is_connected = False

    @property
    def is_caught_up(self) -> bool:
        """Whether it is connected and no history is being asked."""
        return self.is_connected and not self._unsettled

    async def run(self) -> None:
        """Read until `stop`.

        Raises
        ------
        TapewatchError
            The venue refuses for good.
        """
        self.handoff.attach()
        self._history = History(self._venue, self._recording.history)
        ticker = asyncio.create_task(self._tick())
        try:
            while not self._is_stopping:
                await self._one_connection()
                if not self._is_stopping:
                    await self._pause(self._waits.take())
        finally:
            ticker.cancel()
            await self._end_fills()
            await self._corrections.end()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End; called in the event loop."""
        self._is_stopping = True
        if self._connection is not None:
            self._closing = asyncio.ensure_future(self._connection.close())

    async def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._is_stopping and (left_s := until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, TICK_S))

    async def _one_connection(self) -> None:
        """Connect and read to the end of the connection."""
        connection = None
        try:
            self._venue.resume_from(
                {symbol: place for symbol, keeper in self.keepers.items() if (place := keeper.place)}
            )
            connection = await self._venue.connect()
            self._connection = connection
            self._note_connected()
            await self._read(connection)
        except ConnectionLostError as error:
            reason = self._lost_reason or str(error) or "the connection ended"
        except RefusedError as error:
            self._give_up_if_final(error.reason, error.hint)
            reason = error.reason
        else:
            reason = "stopped"
        finally:
            self._connection = None
            if connection is not None:
                await connection.close()
        if not self._is_stopping:
            self._note_lost(reason)

    def _give_up_if_final(self, reason: str, hint: str | None) -> None:
        if hint is not None:
            raise TapewatchError(f"{self._venue.name} refuses this feed: {reason}.", hint)

    def _note_connected(self) -> None:
        now_s = time.monotonic()
        self._last_record_s = now_s
        self._lost_reason = ""
        self.is_connected = True
        self._recording.connected()
        metrics.CONNECTED.labels(self._venue.name).set(1)
        self._log.info("connected", symbols=len(self.keepers))
        for symbol, keeper in self.keepers.items():
            keeper.connected(now_s)
            if not keeper.is_complete:
                self._unsettled.add(symbol)
        self.handoff.add(events=[self._event("connected")])

    def _note_lost(self, reason: str) -> None:
        metrics.CONNECTED.labels(self._venue.name).set(0)
        if not self.is_connected:
            self._log.warning("cannot connect; trying again", reason=reason)
            return
        self.is_connected = False
        self._recording.lost(reason)
        metrics.RECONNECTS.labels(self._venue.name, reason.partition(":")[0][:60]).inc()
        self._log.warning("connection lost; connecting again", reason=reason)
        self.handoff.add(events=[self._event("lost", reason=reason)])

    async def _read(self, connection: Connection) -> None:
        began_s = time.monotonic()
        renew_s = self._venue.session_s
        while True:
            raw = await connection.receive()
            now_s = self._last_record_s = time.monotonic()
            self._shared.clock_ns = time.time_ns()
            self._recording.frame(raw)
            frame = self._venue.decode(raw)
            self._take(frame, now_s)
            if self.handoff.is_full:
                await self.handoff.wait_for_room()
            if renew_s is not None and now_s - began_s >= renew_s:
                raise ConnectionLostError("renewed before the venue ends it")

    def _take(self, frame: Frame, now_s: float) -> None:
        """Run what a frame holds through the keepers, and hand over what may be published."""
        published: list[Print] = []
        corrections: list[Correction] = []
        events: list[FeedEvent] = []
        refusal: Refusal | None = None
        self._corrections.see(frame.prints)
        for one in frame.prints:
            keeper = self.keepers.get(one.symbol)
            if keeper is None:
                keeper = self.keepers[one.symbol] = self._venue.keeper(one.symbol, self._shared, None)
            published += keeper.live(one, now_s)
            if not keeper.is_complete:
                self._unsettled.add(one.symbol)
        if frame.prints:
            self._waits.reset()
            self._last_print_symbol = frame.prints[-1].symbol
            self._newest_ns = max(self._newest_ns, frame.prints[-1].tape_ns)
        for note in frame.notes:
            if isinstance(note, Correction):
                corrections.append(note)
            elif isinstance(note, ReferringCorrection):
                self._corrections.take(note, self._history)
            elif isinstance(note, FeedEvent):
                events.append(note)
            elif isinstance(note, LastNumber):
                self._take_last_number(note, now_s)
            elif isinstance(note, Replayed):
                for keeper in self.keepers.values():
                    keeper.replayed()
            elif isinstance(note, AgedOut):
                for symbol in note.symbols:
                    published += self.keepers[symbol].unavailable(note.reason)
            elif isinstance(note, Skipped):
                events.append(self._event("slow_reader", reason=note.reason))
                self._log.warning("the venue says that this reader is too slow", reason=note.reason)
            elif isinstance(note, Refusal):
                refusal = note
        self._count_unknown_conditions(frame)
        self._hand_over(published, corrections, events, frame.bad)
        if refusal is not None:  # the keepers know of the prints: these are handed over first
            raise RefusedError(refusal.reason, refusal.hint)

    def _take_correction(self, correction: Correction, bad: Sequence[BadMessage]) -> None:
        keeper = self.keepers.get(correction.symbol)
        if keeper is None:
            self._hand_over((), [correction], bad=bad)
        else:
            is_new = self._is_new(keeper, correction)
            self._hand_over((), [correction] if is_new else (), bad=bad, moved=[correction.symbol])

    def _is_new(self, keeper: Keeper, correction: Correction) -> bool:
        return keeper.takes(correction.correction_id, self._times.nanos(correction.timestamp))

    def _count_unknown_conditions(self, came: Frame | Page) -> None:
        for condition in came.unknown_conditions:
            metrics.UNKNOWN_CONDITIONS.labels(self._venue.name, condition[:MOST_CONDITION_CHARS]).inc()

    def _take_last_number(self, note: LastNumber, now_s: float) -> None:
        keeper = self.keepers.get(note.symbol)
        if keeper is not None:
            keeper.last_number(note.number, now_s)
            if not keeper.is_complete:
                self._unsettled.add(note.symbol)

    def _hand_over(
        self,
        published: Sequence[Print],
        corrections: Sequence[Correction] = (),
        events: Sequence[FeedEvent] = (),
        bad: Sequence[BadMessage] = (),
        moved: Sequence[str] = (),
    ) -> None:
        if self._events:
            events = [*events, *self._events]
            self._events = []
        for one in bad:
            self._log.warning("a message cannot be used", reason=one.reason[:300])
        if published or corrections or events or bad or moved:
            self.handoff.add(published, corrections, events, bad, moved)

    async def _tick(self) -> None:
        """Watch the connection, and start to ask for history where it is wanted."""
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            try:
                self._watch(now_s)
                self._start_fills(now_s)
            except Exception as error:  # must not end unseen
                self._failure = error
                self.stop()
                return
            self._update_metrics(now_s)

    def _watch(self, now_s: float) -> None:
        """End a connection that is silent though it should not be."""
        if not self.is_connected or self._connection is None:
            return
        if self.handoff.is_full:  # it is this side that does not read
            self._last_record_s = now_s
        silent_s = now_s - self._last_record_s
        heartbeat_s = self._venue.heartbeat_s
        if heartbeat_s is not None:
            if silent_s >= max(LEAST_SILENCE_S, HEARTBEATS_MISSED * heartbeat_s):
                self._end_silent(f"no record for {silent_s:.0f} s")
        elif silent_s >= PROBE_AFTER_S and self._probe is None:
            # After a start nothing came yet: then one of those that were published before.
            symbol = self._last_print_symbol or next(
                (symbol for symbol, keeper in self.keepers.items() if keeper.place is not None), None
            )
            if symbol is not None:
                self._probe = asyncio.create_task(self._ask_whether_silent(symbol, now_s))

    def _end_silent(self, reason: str) -> None:
        self._lost_reason = reason
        self.handoff.add(events=[self._event("silent", reason=reason)])
        self._last_record_s = time.monotonic()
        if self._connection is not None:
            self._closing = asyncio.ensure_future(self._connection.close())

    async def _ask_whether_silent(self, symbol: str, now_s: float) -> None:
        """Ask history for prints that should have come live by now; a quiet market has none."""
        try:
            keeper = self.keepers[symbol]
            place = keeper.place
            if place is None or self._history is None:
                return
            request = self._venue.history(Wanted(symbol, place))
            if request is None:
                return
            has_newer = await self._has_newer(request, place)
            record_s = self._last_record_s
            if has_newer and record_s <= now_s and self.is_connected:
                self._end_silent(
                    f"no record for {time.monotonic() - record_s:.0f} s, and history has newer prints"
                )
            else:
                self._last_record_s = max(record_s, now_s)  # asked again after the same time
        except HistoryUnavailableError:
            self._last_record_s = max(self._last_record_s, now_s)
        finally:
            self._probe = None

    async def _has_newer(self, request: HistoryRequest | None, place: Place) -> bool:
        """Whether history has prints behind a place; an answer of several pages may have these last."""
        while request is not None and self._history is not None:
            page = await self._history.ask(request)
            newer = [
                one for one in page.prints if one.tape_ns > place.time_ns or one.number > place.number > 0
            ]
            if any(one.trade_id not in place.ahead for one in newer):
                return True
            request = page.following
        return False

    def _start_fills(self, now_s: float) -> None:
        for symbol in list(self._unsettled):
            if symbol in self._fills:
                continue
            keeper = self.keepers[symbol]
            if keeper.is_complete:
                self._unsettled.discard(symbol)
                continue
            wanted = keeper.wanted(now_s)
            if wanted is not None and self.is_connected:
                self._fills[symbol] = asyncio.create_task(self._fill(symbol, keeper, wanted))

    async def _fill(self, symbol: str, keeper: Keeper, wanted: Wanted) -> None:
        """Ask for a symbol's missing prints, and publish page after page."""
        try:
            async with self._fill_turns:
                request = self._venue.history(wanted)
                if request is None or self._history is None:
                    self._hand_over(keeper.unavailable("the venue has no history"), moved=[symbol])
                    return
                asked_s = time.monotonic()
                following: HistoryRequest | None = request
                while following is not None:
                    page = await self._history.ask(following)
                    self._corrections.see(page.prints)
                    self._count_unknown_conditions(page)
                    published = keeper.page(page.prints)
                    corrections = [one for one in page.corrections if self._is_new(keeper, one)]
                    self._hand_over(published, corrections, bad=page.bad)
                    await self.handoff.wait_for_room()
                    following = None if keeper.is_blocked else page.following
                self._hand_over(keeper.answered(asked_s, time.monotonic()), moved=[symbol])
        except HistoryUnavailableError as error:
            self._log.warning("prints are lost", symbol=symbol, reason=str(error))
            self._hand_over(keeper.unavailable(str(error)), moved=[symbol])
        except Exception as error:  # must not end unseen
            self._failure = error
            self.stop()
        finally:
            del self._fills[symbol]

    async def _end_fills(self) -> None:
        tasks = [*self._fills.values(), *([self._probe] if self._probe else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _record_gap(self, gap: Gap) -> None:
        """Turn a keeper's gap into an event; handed over with the prints of the same step."""
        metrics.GAPS.labels(self._venue.name, gap.event).inc()
        if gap.count is not None:
            metrics.GAP_PRINTS.labels(self._venue.name, gap.event).inc(gap.count)
        self._log.info(
            gap.event, symbol=gap.symbol, start=gap.start, end=gap.end, count=gap.count, reason=gap.reason
        )
        self._events.append(
            FeedEvent(
                _now_text(),
                self._venue.name,
                gap.event,
                gap.symbol,
                self._end_of_gap(gap.start, gap.is_number),
                self._end_of_gap(gap.end, gap.is_number),
                gap.count,
                gap.reason,
            )
        )

    def _end_of_gap(self, value: int | None, is_number: bool) -> int | str | None:
        return value if value is None or is_number else self._times.text(value)

    def _event(self, name: EventName, symbol: str | None = None, reason: str | None = None) -> FeedEvent:
        return FeedEvent(_now_text(), self._venue.name, name, symbol, reason=reason)

    def _update_metrics(self, now_s: float) -> None:
        name = self._venue.name
        metrics.RECORD_AGE_S.labels(name).set(now_s - self._last_record_s if self._last_record_s else 0.0)
        metrics.GAPS_OPEN.labels(name).set(len(self._unsettled))
        metrics.HELD.labels(name).set(self._shared.held.count)
        if self._newest_ns:
            metrics.LAG_S.labels(name).set(time.time() - self._newest_ns / 1e9)
        seen = self._shared.seen
        if seen.live_repeats:
            metrics.REPEATS.labels(name, "live").inc(seen.live_repeats)
        if seen.history_repeats:
            metrics.REPEATS.labels(name, "history").inc(seen.history_repeats)
        seen.live_repeats = seen.history_repeats = 0


def _now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
