"""Keeps a venue's feed going: connect, fill what is missing, read on; and again after every end.

Any end that this process did not ask for is a lost connection, a clean close included. A refusal that no
later try can change ends the feed with the venue's words.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence, Set
from functools import partial
from typing import Literal

import structlog

from services.common.errors import TapewatchError
from services.sources.feeds import metrics
from services.sources.feeds.corrections import Corrections
from services.sources.feeds.handoff import Handoff
from services.sources.feeds.health import STALLED_AFTER_S
from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.keeper import Wanted
from services.sources.feeds.messages import HistoryRequest, ReferringCorrection
from services.sources.feeds.place import Place
from services.sources.feeds.recording import NO_RECORDING, Recording
from services.sources.feeds.state import FeedState
from services.sources.feeds.venue import Connection, ConnectionLostError, RefusedError, Venue
from services.sources.feeds.waits import Waits

CONNECTED = "connected"
CANNOT_CONNECT = "cannot connect; trying again"
"""What the log says; with a `reason` why not."""

TICK_S = 0.1
HEARTBEATS_MISSED = 3
LEAST_SILENCE_S = 10.0
PROBE_AFTER_S = 30.0
"""Where a venue promises no heartbeat: after so long without a record, history is asked for newer prints."""

FILLS_AT_ONCE = 4
STEADY_S = 2.0
"""A connection that has stood for so long was no failed try."""

PROBE_TIMEOUT_S = 30.0


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
    waiting
        Corrections whose trades an earlier process did not find.
    """

    def __init__(
        self,
        venue: Venue,
        places: Mapping[str, Place],
        recording: Recording = NO_RECORDING,
        waits: Waits | None = None,
        waiting: Sequence[ReferringCorrection] = (),
    ) -> None:
        self._venue = venue
        self._recording = recording
        self._waits = waits or Waits()
        self._log = structlog.get_logger().bind(venue=venue.name)
        self.handoff = Handoff()
        self._state = FeedState(venue, places, self.handoff, self._look_up)
        self._corrections = Corrections(self._state.settle, waiting)
        self.handoff.of(self._state.keepers, self._corrections.waiting)
        recording.begin(venue.name, venue.symbols, places)
        self._fills: dict[str, asyncio.Task[None]] = {}
        self._progress_s: dict[str, float] = {}
        """Of symbols whose history is being asked: when it last brought a newer print, or was asked."""
        self._fill_turns = asyncio.Semaphore(FILLS_AT_ONCE)
        self._history = History(venue)
        self._connecting: asyncio.Future[Connection] | None = None
        self._connection: Connection | None = None
        self._is_stopping = False
        self._last_record_s = 0.0
        self._probe: asyncio.Task[None] | None = None
        self._lost_reason = ""
        self._closing: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self.is_connected = False

    @property
    def watched(self) -> Set[str]:
        """The symbols that it knows."""
        return self._state.keepers.keys()

    @property
    def why_behind(self) -> str | None:
        """Why it may miss prints that the venue has; None while it is connected and asks no history."""
        if not self.is_connected:
            return "connecting to the venue"
        if not self._state.unsettled:
            return None
        stalled_s = self._stalled_s(time.monotonic())
        if stalled_s < STALLED_AFTER_S:
            return "filling gaps"
        trouble = self._history.trouble or "its answers have nothing new"
        return f"the venue's history has filled no gap for {stalled_s:.0f} s: {trouble}"

    def _stalled_s(self, now_s: float) -> float:
        """Return the longest time for which a question to history has brought no newer print."""
        if self.handoff.is_full:  # it is this side that does not publish
            return 0.0
        return max((now_s - since_s for since_s in list(self._progress_s.values())), default=0.0)

    async def run(self) -> None:
        """Read until `stop`.

        Raises
        ------
        TapewatchError
            The venue refuses for good.
        """
        self.handoff.attach()
        self._corrections.resume(self._history)
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
        if self._connecting is not None and self._connection is None:
            self._connecting.cancel()
        if self._connection is not None:
            self._closing = asyncio.ensure_future(self._connection.close())

    def _fail(self, error: Exception) -> None:
        """End because of an error in a task, which nobody would see otherwise; `run` raises it."""
        self._failure = error
        self.stop()

    async def _pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not self._is_stopping and (left_s := until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, TICK_S))

    async def _one_connection(self) -> None:
        """Connect and read to the end of the connection."""
        connection = None
        try:
            self._state.resume()
            self._connecting = asyncio.ensure_future(self._venue.connect())
            connection = await self._connecting
            self._connection = connection
            self._note_connected()
            await self._read(connection)
        except ConnectionLostError as error:
            reason = self._lost_reason or str(error) or "the connection ended"
        except RefusedError as error:
            reason = error.reason
            if error.hint is not None:
                self._note_lost(reason)
                raise TapewatchError(f"{self._venue.name} refuses this feed: {reason}.", error.hint) from None
        except asyncio.CancelledError:
            if not self._is_stopping:
                raise
            reason = ""
        finally:
            self._connection = self._connecting = None
            if connection is not None:
                await connection.close()
        self._note_lost("the feed was stopped" if self._is_stopping else reason)

    def _note_connected(self) -> None:
        now_s = self._now()
        self._last_record_s = now_s
        self._lost_reason = ""
        self.is_connected = True
        self._recording.connected(now_s)
        metrics.CONNECTED.labels(self._venue.name).set(1)
        self._log.info(CONNECTED, symbols=len(self._state.keepers))
        self._state.connected(now_s)

    def _note_lost(self, reason: str) -> None:
        metrics.CONNECTED.labels(self._venue.name).set(0)
        if not self.is_connected:
            if self._is_stopping:
                return
            self._log.warning(CANNOT_CONNECT, reason=reason)
            return
        self.is_connected = False
        self._end("lost", reason)
        if self._is_stopping:
            return
        metrics.RECONNECTS.labels(self._venue.name, _kind_of(reason)).inc()
        self._log.warning("connection lost; connecting again", reason=reason)

    def _end(self, event: Literal["lost", "silent"], reason: str) -> None:
        self._recording.ended(self._now(), event, reason)
        self._state.ended(event, reason)

    def _now(self) -> float:
        """Return the time, in seconds that never go back, and tell the state what the clock shows."""
        self._state.shared.clock_ns = time.time_ns()
        return time.monotonic()

    async def _read(self, connection: Connection) -> None:
        began_s = time.monotonic()
        renew_s = self._venue.session_s
        while True:
            raw = await connection.receive()
            now_s = self._last_record_s = self._now()
            self._recording.frame(now_s, raw)
            self._state.frame(raw, now_s)
            if now_s - began_s >= STEADY_S:  # not before: a venue may greet with prints and hang up
                self._waits.reset()
            if self.handoff.is_full:
                await self.handoff.wait_for_room()
            if renew_s is not None and now_s - began_s >= renew_s:
                raise ConnectionLostError("renewed before the venue ends it")

    def _look_up(self, note: ReferringCorrection) -> None:
        """Ask history which trade a correction means."""
        self._corrections.look_up(note, self._history)
        self.handoff.add()

    async def _tick(self) -> None:
        """Watch the connection, and start to ask for history where it is wanted."""
        while True:
            await asyncio.sleep(TICK_S)
            now_s = time.monotonic()
            try:
                self._watch(now_s)
                self._start_fills()
            except Exception as error:
                self._fail(error)
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
            newest = self._state.newest
            symbol = (
                newest.symbol
                if newest is not None
                else next(
                    (symbol for symbol, keeper in self._state.keepers.items() if keeper.place is not None),
                    None,
                )
            )
            if symbol is not None:
                self._probe = asyncio.create_task(self._ask_whether_silent(symbol, now_s))

    def _end_silent(self, reason: str) -> None:
        self._lost_reason = reason
        self._end("silent", reason)
        self._last_record_s = time.monotonic()
        if self._connection is not None:
            self._closing = asyncio.ensure_future(self._connection.close())

    async def _ask_whether_silent(self, symbol: str, now_s: float) -> None:
        """Ask history for prints that should have come live by now; a quiet market has none."""
        try:
            place = self._state.keepers[symbol].place
            if place is None:
                return
            request = self._venue.history(Wanted(symbol, place))
            if request is None:
                return
            has_newer = await asyncio.wait_for(self._has_newer(request, place), PROBE_TIMEOUT_S)
            record_s = self._last_record_s
            if has_newer and record_s <= now_s and self.is_connected:
                self._end_silent(
                    f"no record for {time.monotonic() - record_s:.0f} s, and history has newer prints"
                )
            else:
                self._last_record_s = max(record_s, now_s)  # asked again after the same time
        except (HistoryUnavailableError, TimeoutError):
            self._last_record_s = max(self._last_record_s, now_s)
        except Exception as error:
            self._fail(error)
        finally:
            self._probe = None

    async def _has_newer(self, request: HistoryRequest | None, place: Place) -> bool:
        """Whether history has prints behind a place; an answer of several pages may have these last."""
        while request is not None:
            page = await self._history.ask(request)
            newer = [
                one for one in page.prints if one.tape_ns > place.time_ns or one.number > place.number > 0
            ]
            if any(one.trade_id not in place.ahead for one in newer):
                return True
            request = page.following
        return False

    def _start_fills(self) -> None:
        for symbol in [one for one in self._state.unsettled if one not in self._fills]:
            now_s = self._now()
            wanted = self._state.wanted(symbol, now_s)
            if wanted is not None and self.is_connected:
                self._recording.asked(now_s, symbol)
                self._fills[symbol] = asyncio.create_task(self._fill(symbol, wanted))

    async def _fill(self, symbol: str, wanted: Wanted) -> None:
        """Ask for a symbol's missing prints, and publish page after page."""
        state = self._state
        try:
            async with self._fill_turns:
                request = self._venue.history(wanted)
                if request is None:
                    raise HistoryUnavailableError("the venue has no history")
                asked_s = self._progress_s[symbol] = time.monotonic()
                newest = (0, 0)
                while request is not None:
                    page = await self._history.ask(request, partial(self._record_answer, request))
                    is_of_use = state.page(symbol, page)
                    await self.handoff.wait_for_room()
                    last = max(((one.tape_ns, one.number) for one in page.prints), default=newest)
                    if last > newest:
                        newest, self._progress_s[symbol] = last, time.monotonic()
                    request = page.following if is_of_use else None
                now_s = self._now()
                self._recording.answered(now_s, symbol, asked_s)
                state.answered(symbol, asked_s, now_s)
        except HistoryUnavailableError as error:
            self._recording.unavailable(self._now(), symbol, str(error))
            state.unavailable(symbol, str(error))
        except Exception as error:
            self._fail(error)
        finally:
            del self._fills[symbol]
            self._progress_s.pop(symbol, None)

    def _record_answer(self, request: HistoryRequest, body: bytes) -> None:
        self._recording.history(self._now(), request, body)

    async def _end_fills(self) -> None:
        tasks = [*self._fills.values(), *([self._probe] if self._probe else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _update_metrics(self, now_s: float) -> None:
        name = self._venue.name
        metrics.RECORD_AGE_S.labels(name).set(now_s - self._last_record_s if self._last_record_s else 0.0)
        metrics.GAPS_OPEN.labels(name).set(len(self._state.unsettled))
        metrics.FILL_STALLED_S.labels(name).set(self._stalled_s(now_s))
        metrics.HELD.labels(name).set(self._state.shared.held.count)
        if self._state.newest is not None:
            metrics.LAG_S.labels(name).set(time.time() - self._state.newest.tape_ns / 1e9)
        seen = self._state.shared.seen
        if seen.live_repeats:
            metrics.REPEATS.labels(name, "live").inc(seen.live_repeats)
        if seen.history_repeats:
            metrics.REPEATS.labels(name, "history").inc(seen.history_repeats)
        seen.live_repeats = seen.history_repeats = 0


def _kind_of(reason: str) -> str:
    """Return a reason as a metric's label: without numbers, which would make a series of each."""
    return re.sub(r"\d+", "N", reason.partition(":")[0])[:60]
