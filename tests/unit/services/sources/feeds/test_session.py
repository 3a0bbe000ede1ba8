"""A session, with a venue that answers from memory."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence

import msgspec
import pytest

from services.contracts.correction import Correction
from services.producer.feed_progress import WaitingRecord
from services.sources.feeds import corrections, metrics
from services.sources.feeds import session as module
from services.sources.feeds.handoff import Batch, Handoff
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
        self.trouble = ""

    async def ask(self, request: HistoryRequest, keep: Callable[[bytes], None] = lambda _: None) -> Page:
        while not self._venue.pages:
            await asyncio.sleep(0.01)
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
    if more.waiting is not None:
        batch.waiting = more.waiting


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


def test_a_correction_whose_trade_was_not_found_yet_is_looked_for_by_the_next_process() -> None:
    venue = MemoryVenue([Frame([make_print(1)], [note("a"), note("a")])])
    batch = run(Session(venue, {}), lambda batch: bool(batch.prints))
    assert (batch.corrections, batch.bad, batch.waiting) == ([], [], (note("a"),))
    assert batch.waiting is not None
    stored = msgspec.json.encode(WaitingRecord("memory", batch.waiting))
    waiting = msgspec.json.decode(stored, type=WaitingRecord).corrections
    pages = [Page([make_print(7, reference="a")], None)]
    later = corrected(Session(MemoryVenue([], pages), {}, waiting=waiting))
    assert later.corrections == [make_correction("a", "t-7")]
    assert later.waiting == ()


def test_a_correction_is_no_longer_waiting_in_the_batch_that_has_it() -> None:
    batches: list[Batch] = []
    venue = MemoryVenue([Frame([make_print(1)], [note("a")])])

    async def whole() -> None:
        session = Session(venue, {})
        task = asyncio.ensure_future(session.run())
        while not any(batch.corrections for batch in batches):
            await asyncio.sleep(0.01)
            batches.append(session.handoff.rest())
            if batches[-1].waiting:
                venue.pages = [Page([make_print(7, reference="a")], None)]
        session.stop()
        await task

    asyncio.run(asyncio.wait_for(whole(), 5.0))
    told = [(batch.waiting, len(batch.corrections)) for batch in batches if batch.waiting is not None]
    assert told == [((note("a"),), 0), ((), 1)]


def test_so_many_corrections_wait_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "MOST_WAITING", 2)
    venue = MemoryVenue([Frame([make_print(1)], [note("a"), note("b"), note("c")])])
    batch = corrected(Session(venue, {}))
    assert batch.waiting == (note("a"), note("b"))
    assert batch.corrections == [make_correction("c")]
    assert "2 others wait" in batch.bad[0].reason


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


# --- fills that stand still ---

PLACES = {"AAPL": Place(SECOND_NS, 0, SECOND_NS, ("t-1",))}


def filling(
    monkeypatch: pytest.MonkeyPatch, venue: MemoryVenue, trouble: str = ""
) -> list[tuple[str | None, float]]:
    """Run a session that fills a gap for half a second; return why it was behind, and how long stalled."""
    monkeypatch.setattr(module, "STALLED_AFTER_S", 0.2)
    seen: list[tuple[str | None, float]] = []

    async def whole() -> None:
        session = Session(venue, PLACES)
        assert session.why_behind == "connecting to the venue"
        session._history.trouble = trouble
        task = asyncio.ensure_future(session.run())
        for _ in range(50):
            await asyncio.sleep(0.01)
            seen.append((session.why_behind, session._stalled_s(time.monotonic())))
        session.stop()
        await task

    asyncio.run(whole())
    return seen


def test_a_fill_that_brings_nothing_for_long_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = [why for why, _ in filling(monkeypatch, MemoryVenue([]), "HTTP 503")]
    assert "filling gaps" in reasons
    assert re.fullmatch(r"the venue.s history has filled no gap for \d+ s: HTTP 503", reasons[-1] or "")


class SlowHistory(MemoryHistory):
    """Answers a page each 0.05 s, without an end."""

    def __init__(self, venue: MemoryVenue) -> None:
        super().__init__(venue)
        self._asked = 1

    async def ask(self, request: HistoryRequest, keep: Callable[[bytes], None] = lambda _: None) -> Page:
        await asyncio.sleep(0.05)
        self._asked += 1
        return Page([make_print(self.number)], request)

    @property
    def number(self) -> int:
        return self._asked


class RepeatingHistory(SlowHistory):
    """Answers with the same page again and again."""

    @property
    def number(self) -> int:
        return 2


@pytest.mark.parametrize(("history", "is_stalled"), [(SlowHistory, False), (RepeatingHistory, True)])
def test_a_long_fill_is_stalled_only_if_its_answers_have_nothing_new(
    monkeypatch: pytest.MonkeyPatch, history: type[SlowHistory], *, is_stalled: bool
) -> None:
    monkeypatch.setattr(module, "History", history)
    reasons = [why for why, _ in filling(monkeypatch, MemoryVenue([]))]
    assert any("nothing new" in (why or "") for why in reasons) is is_stalled
    assert "filling gaps" in reasons


def test_a_feed_that_is_behind_with_publishing_blames_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handoff, "is_full", property(lambda _: True))
    assert {stalled_s for _, stalled_s in filling(monkeypatch, MemoryVenue([]))} == {0.0}


def test_a_fill_that_has_ended_is_not_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Page([], None, [BadMessage(b"", "it answers 403")])
    assert filling(monkeypatch, MemoryVenue([], [refused]))[-1] == (None, 0.0)


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
