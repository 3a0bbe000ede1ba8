"""A session, with a venue that answers from memory."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from services.sources.feeds.handoff import Batch
from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.messages import Frame, HistoryRequest, Page, Print, Refusal, Skipped
from services.sources.feeds.place import Place
from services.sources.feeds.session import PROBE_AFTER_S, Session
from services.sources.feeds.timed_keeper import TimedKeeper
from services.sources.feeds.venue import Connection, ConnectionLostError, Venue

SECOND_NS = 10**9


def make_print(number: int, symbol: str = "AAPL", reference: str = "") -> Print:
    value = f'{{"trade_id":"t-{number}"}}'.encode()
    return Print(symbol, f"t-{number}", number * SECOND_NS, 0, value, reference)


class MemoryVenue(Venue, Connection):
    """A venue whose frames and answers are given by the test."""

    name = "memory"
    request_interval_s = 0.0

    def __init__(self, frames: Sequence[Frame], pages: Sequence[Page] = (), symbols: str = "AAPL") -> None:
        super().__init__(symbols.split(","), "", "")
        self._coming = list(frames)
        self.pages = list(pages)
        self.is_closed = asyncio.Event()

    def keeper(self, symbol: str, shared: Shared, place: Place | None) -> Keeper:
        return TimedKeeper(symbol, shared, place, 30.0)

    async def connect(self) -> Connection:
        self.is_closed.clear()
        return self

    async def send(self, text: str) -> None:
        raise AssertionError

    async def receive(self) -> bytes:
        if not self._coming:
            await self.is_closed.wait()
            raise ConnectionLostError("closed")
        return b""

    async def close(self) -> None:
        self.is_closed.set()

    def decode(self, raw: bytes) -> Frame:
        return self._coming.pop(0)

    def history(self, wanted: Wanted) -> HistoryRequest | None:
        return HistoryRequest(wanted.symbol, "/first")


class MemoryHistory:
    """The venue's answers, in turn."""

    def __init__(self, venue: MemoryVenue) -> None:
        self._venue = venue

    async def ask(self, request: HistoryRequest) -> Page:
        return self._venue.pages.pop(0)


def run(session: Session, until: Callable[[Batch], bool], timeout_s: float = 5.0) -> Batch:
    """Run a session until what it has read is enough; return all of it."""

    async def whole() -> Batch:
        batch = Batch()
        task = asyncio.ensure_future(session.run())
        ends_s = time.monotonic() + timeout_s
        while not until(batch) and time.monotonic() < ends_s and not task.done():
            await asyncio.sleep(0.01)
            merge(batch, session.handoff.rest())
        session.stop()
        await task
        merge(batch, session.handoff.rest())
        return batch

    return asyncio.run(whole())


def merge(batch: Batch, more: Batch) -> None:
    batch.prints += more.prints
    batch.corrections += more.corrections
    batch.events += more.events
    batch.bad += more.bad
    batch.places |= more.places


def test_prints_that_came_with_a_refusal_are_published() -> None:
    words = "407 slow client"
    refusing = Frame([make_print(1)], [Skipped(words), Refusal(words, None)])
    batch = run(Session(MemoryVenue([refusing]), {}), lambda batch: len(batch.events) >= 3)
    assert [one.trade_id for one in batch.prints] == ["t-1"]
    assert [event.event for event in batch.events][:3] == ["connected", "slow_reader", "lost"]


@pytest.mark.parametrize(("last", "has_newer"), [(1, False), (2, True)])
def test_a_connection_is_silent_if_any_page_of_history_has_newer_prints(
    last: int, *, has_newer: bool
) -> None:
    following = HistoryRequest("AAPL", "/second")
    pages = [Page([make_print(1)], following), Page([make_print(last)], None)]
    session = Session(venue := MemoryVenue([], pages), {})
    session._history = MemoryHistory(venue)  # type: ignore[assignment]
    place = Place(SECOND_NS, 0, SECOND_NS, ("t-1",))
    found = asyncio.run(session._has_newer(HistoryRequest("AAPL", "/first"), place))
    assert found is has_newer
    assert not venue.pages


@pytest.mark.parametrize(("places", "is_asked"), [({}, False), ({"AAPL": Place(1, 0, 1, ("t-1",))}, True)])
def test_a_connection_that_is_silent_from_its_start_is_looked_at(
    places: dict[str, Place], *, is_asked: bool
) -> None:
    async def watch() -> bool:
        session = Session(venue := MemoryVenue([]), places)
        session._connection, session.is_connected = venue, True
        session._watch(session._last_record_s + PROBE_AFTER_S)
        return session._probe is not None

    assert asyncio.run(watch()) is is_asked
