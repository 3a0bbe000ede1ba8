"""A session, with a venue that answers from memory."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from services.contracts.correction import Correction
from services.sources.feeds import metrics
from services.sources.feeds import session as module
from services.sources.feeds.handoff import Batch
from services.sources.feeds.history import HistoryUnavailableError
from services.sources.feeds.keeper import Keeper, Shared, Wanted
from services.sources.feeds.messages import (
    BadMessage,
    Frame,
    HistoryRequest,
    Page,
    Print,
    ReferringCorrection,
    Refusal,
    Skipped,
)
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

    async def ask(self, request: HistoryRequest, keep: Callable[[bytes], None] = lambda _: None) -> Page:
        if not self._venue.pages:
            await asyncio.sleep(60)
        if self._venue.pages[0].bad:
            raise HistoryUnavailableError(self._venue.pages.pop(0).bad[0].reason)
        return self._venue.pages.pop(0)


@pytest.fixture(autouse=True)
def history_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "History", MemoryHistory)


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


# --- corrections ---

LOOKUP = HistoryRequest("AAPL", "/lookup")


def make_correction(reference: str, trade_id: str | None = None) -> Correction:
    return Correction("2026-04-06T14:31:00Z", f"{reference}-c1", trade_id, "AAPL", "cancel", "memory")


def note(reference: str, renamed: str | None = None) -> ReferringCorrection:
    return ReferringCorrection(make_correction(reference), reference, renamed, LOOKUP, b"raw")


def corrected(session: Session, count: int = 1) -> Batch:
    return run(session, lambda batch: len(batch.corrections) >= count)


def test_a_correction_finds_its_trade_among_the_prints_that_came() -> None:
    venue = MemoryVenue(
        [Frame([make_print(1, reference="a"), make_print(2, reference="b")]), Frame([], [note("a")])]
    )
    batch = corrected(Session(venue, {}))
    assert batch.corrections == [make_correction("a", "t-1")]
    assert batch.bad == []


def test_a_corrected_trade_is_found_by_its_new_name() -> None:
    frames = [Frame([make_print(1, reference="a")], [note("a", renamed="b")]), Frame([], [note("b")])]
    batch = corrected(Session(MemoryVenue(frames), {}), 2)
    assert batch.corrections == [make_correction("a", "t-1"), make_correction("b", "t-1")]


def test_a_correction_of_a_trade_that_is_not_remembered_asks_history() -> None:
    pages = [Page([], LOOKUP), Page([make_print(7, reference="a")], None)]
    batch = corrected(Session(MemoryVenue([Frame([], [note("a")])], pages), {}))
    assert batch.corrections == [make_correction("a", "t-7")]
    assert batch.prints == []


@pytest.mark.parametrize(
    ("frames", "pages", "reason"),
    [
        (
            [Frame([make_print(1, reference="a"), make_print(2, reference="a")], [note("a")])],
            [],
            "fits 2 trades: t-1, t-2",
        ),
        ([Frame([], [note("a")])], [Page([make_print(1), make_print(2)], None)], "fits 2 trades"),
        ([Frame([], [note("a")])], [Page([], None)], "neither this process nor the venue's history"),
        ([Frame([], [note("a")])], [Page([], None, [BadMessage(b"", "it answers 403")])], "it answers 403"),
    ],
)
def test_a_correction_without_one_trade_is_published_so_and_is_a_dead_letter(
    frames: list[Frame], pages: list[Page], reason: str
) -> None:
    batch = corrected(Session(MemoryVenue(frames, pages), {}))
    assert batch.corrections == [make_correction("a")]
    (letter,) = batch.bad
    assert letter.raw == b"raw"
    assert reason in letter.reason


def test_a_stop_does_not_lose_a_correction_that_history_is_asked_for() -> None:
    venue = MemoryVenue([Frame([make_print(1)], [note("a")])])
    batch = run(Session(venue, {}), lambda batch: bool(batch.prints))
    assert batch.corrections == [make_correction("a")]
    assert "stopped" in batch.bad[0].reason


def test_a_correction_that_comes_live_and_from_history_is_published_once_also_by_a_later_process() -> None:
    first, second = make_print(1, reference="a"), make_print(2, reference="b")
    batch = corrected(Session(MemoryVenue([Frame([first, second]), Frame([], [note("a")])]), {}))
    assert len(batch.corrections) == 1
    page = Page([first, second], None, corrections=[make_correction("a", "t-1"), make_correction("b", "t-2")])
    later = corrected(Session(MemoryVenue([], [page]), batch.places))
    assert later.prints == []
    assert later.corrections == [make_correction("b", "t-2")]


def test_a_correction_that_came_before_its_trade_was_published_is_published_once() -> None:
    places = {"AAPL": Place(SECOND_NS, 0, SECOND_NS, ("t-1",))}
    trades = [make_print(number, reference=f"r-{number}") for number in range(2, 100)]
    # The trade is held back, as history is asked; then this process ends.
    batch = corrected(Session(MemoryVenue([Frame([trades[-1]]), Frame([], [note("r-99")])]), places))
    assert (len(batch.corrections), batch.prints) == (1, [])
    mentioned = [make_correction("r-99", "t-99")]
    page = Page(trades, None, corrections=mentioned)
    later = run(Session(MemoryVenue([], [page]), batch.places), lambda batch: len(batch.prints) == 98)
    assert (len(later.prints), later.corrections) == (98, [])
    again = run(
        Session(MemoryVenue([], [Page(trades[-1:], None, corrections=mentioned)]), later.places),
        lambda batch: len(batch.events) > 1,
        timeout_s=1.0,
    )
    assert (again.prints, again.corrections) == ([], [])


# --- all symbols ---


def test_a_feed_of_all_symbols_resumes_those_that_it_has_published() -> None:
    places = {"AAPL": Place(SECOND_NS, 0, SECOND_NS, ("t-1",))}
    venue = MemoryVenue([], symbols="*")
    venue.watches_all = True
    session = Session(venue, places)
    assert list(session.watched) == ["AAPL"]
    page = Page([make_print(1), make_print(2)], None)
    venue.pages = [page]
    batch = run(session, lambda batch: bool(batch.prints))
    assert [one.trade_id for one in batch.prints] == ["t-2"]


def test_unknown_conditions_are_counted_by_letter() -> None:
    counter = metrics.UNKNOWN_CONDITIONS.labels("memory", "?")
    before = counter._value.get()
    run(
        Session(MemoryVenue([Frame([make_print(1)], unknown_conditions=["?", "?"])]), {}),
        lambda batch: bool(batch.prints),
    )
    assert counter._value.get() == before + 2


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


# --- ends ---


class SlowVenue(MemoryVenue):
    """A venue that does not answer."""

    async def connect(self) -> Connection:
        await asyncio.sleep(60)
        raise AssertionError


def test_a_stop_ends_the_wait_for_a_venue_that_does_not_answer() -> None:
    async def whole() -> None:
        session = Session(SlowVenue([]), {})
        task = asyncio.ensure_future(session.run())
        await asyncio.sleep(0.05)
        session.stop()
        await asyncio.wait_for(task, 2.0)

    asyncio.run(whole())


def test_a_stopped_feed_says_that_it_is_no_longer_connected() -> None:
    batch = run(Session(MemoryVenue([Frame([make_print(1)])]), {}), lambda batch: bool(batch.prints))
    assert [event.event for event in batch.events] == ["connected", "lost"]
    assert batch.events[-1].reason == "the feed was stopped"


class HangingUpVenue(MemoryVenue):
    """A venue that hangs up after what it has to say."""

    async def receive(self) -> bytes:
        if not self._coming:
            raise ConnectionLostError("closed")
        return b""


def test_a_venue_that_greets_and_hangs_up_is_tried_at_growing_intervals() -> None:
    async def whole() -> float:
        session = Session(HangingUpVenue([Frame([make_print(1)])]), {})
        task = asyncio.ensure_future(session.run())
        await asyncio.sleep(0.3)
        session.stop()
        await task
        return session._waits.take()

    assert asyncio.run(whole()) >= 1.0


def test_a_place_is_never_handed_over_before_its_print() -> None:
    frames = [Frame([make_print(1, reference="a")], [note("a")])]
    batches: list[Batch] = []

    async def whole() -> None:
        session = Session(MemoryVenue(frames), {})
        task = asyncio.ensure_future(session.run())
        loop = asyncio.get_running_loop()
        for _ in range(5):
            batches.append(await loop.run_in_executor(None, session.handoff.take, 0.2))
        session.stop()
        await task

    asyncio.run(whole())
    seen: set[str] = set()
    for batch in batches:
        seen |= {one.trade_id for one in batch.prints}
        assert all(set(place.ids) <= seen for place in batch.places.values())
    assert seen == {"t-1"}
