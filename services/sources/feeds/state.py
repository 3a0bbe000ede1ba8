"""What a feed knows of its symbols, and how what comes becomes what is published.

It does no I/O and asks no clock: whoever calls it says when. So a recorded session gives the same again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from services.contracts.correction import Correction
from services.contracts.feed_event import EventName, FeedEvent
from services.sources.feeds import metrics
from services.sources.feeds.keeper import Gap, Keeper, Shared, Wanted
from services.sources.feeds.messages import (
    AgedOut,
    BadMessage,
    Frame,
    LastNumber,
    Page,
    Print,
    ReferringCorrection,
    Refusal,
    Replayed,
    Skipped,
)
from services.sources.feeds.place import Place
from services.sources.feeds.references import References
from services.sources.feeds.trade_text import Times
from services.sources.feeds.venue import RefusedError, Venue

MOST_CONDITION_CHARS = 8
"""Of an unknown sale condition as a metric's label."""

MOST_BAD_ROWS = 10_000
"""Rows of history that cannot be used are remembered up to this number, so that each is one dead letter."""


class Out(Protocol):
    """Takes what is to be published."""

    def add(
        self,
        prints: Sequence[Print] = (),
        corrections: Sequence[Correction] = (),
        events: Sequence[FeedEvent] = (),
        bad: Sequence[BadMessage] = (),
        moved: Sequence[str] = (),
    ) -> None:
        """See `Handoff.add`."""


class FeedState:
    """The state of one feed.

    Parameters
    ----------
    venue
        The venue.
    places
        How far symbols were published before.
    out
        Takes the results.
    look_up
        Called with each correction whose trade is not known, to ask history; it ends in `settle`. None where
        nobody can be asked.

    Attributes
    ----------
    keepers
        By symbol.
    unsettled
        Symbols whose keepers may want history.
    shared
        What the keepers share; the caller sets its clock to when what is told now was received.
    newest
        The last print that came live.
    """

    def __init__(
        self,
        venue: Venue,
        places: Mapping[str, Place],
        out: Out,
        look_up: Callable[[ReferringCorrection], None] | None = None,
    ) -> None:
        self._venue = venue
        self._places = places
        self._log = structlog.get_logger().bind(venue=venue.name)
        self._times = Times()
        self.shared = Shared(self._record_gap)
        self.keepers: dict[str, Keeper] = {
            symbol: venue.keeper(symbol, self.shared, places.get(symbol))
            for symbol in (places if venue.watches_all else venue.symbols)
        }
        self._out = out
        self._look_up = look_up
        self._references = References()
        self._events: list[FeedEvent] = []
        self._bad_rows: set[bytes] = set()
        self.unsettled: set[str] = set()
        self.newest: Print | None = None

    def resume(self) -> None:
        """Tell the venue how far symbols were published, before it connects."""
        self._venue.resume_from(
            {symbol: place for symbol, keeper in self.keepers.items() if (place := keeper.place)}
        )

    def connected(self, now_s: float) -> None:
        """Note that live prints come from now on; `now_s` are seconds that never go back."""
        for symbol, keeper in self.keepers.items():
            keeper.connected(now_s)
            self._note_unsettled(symbol, keeper)
        self._out.add(events=[self._event("connected")])

    def ended(self, event: EventName, reason: str) -> None:
        """Note that the connection is `lost`, or is `silent`."""
        self._out.add(events=[self._event(event, reason)])

    def frame(self, raw: bytes, now_s: float) -> Frame:
        """Take a frame; returns what it held.

        Raises
        ------
        RefusedError
            The venue refuses; what came before is handed over.
        """
        frame = self._venue.decode(raw)
        published: list[Print] = []
        self._references.see(frame.prints)
        for one in frame.prints:
            keeper = self.keepers.get(one.symbol)
            if keeper is None:
                keeper = self.keepers[one.symbol] = self._venue.keeper(
                    one.symbol, self.shared, self._places.get(one.symbol)
                )
            published += keeper.live(one, now_s)
            self._note_unsettled(one.symbol, keeper)
        if frame.prints:
            self.newest = frame.prints[-1]
        # Before all that may hand over places: these must not be ahead of their prints.
        self._hand_over(published, bad=frame.bad)
        self._count_unknown_conditions(frame)
        if frame.notes:
            self._take_notes(frame, now_s)
        return frame

    def _take_notes(self, frame: Frame, now_s: float) -> None:
        corrections: list[Correction] = []
        events: list[FeedEvent] = []
        refusal: Refusal | None = None
        for note in frame.notes:
            if isinstance(note, Correction):
                corrections.append(note)
            elif isinstance(note, ReferringCorrection):
                self._take_correction(note)
            elif isinstance(note, FeedEvent):
                events.append(note)
            elif isinstance(note, LastNumber):
                keeper = self.keepers.get(note.symbol)
                if keeper is not None:
                    keeper.last_number(note.number, now_s)
                    self._note_unsettled(note.symbol, keeper)
            elif isinstance(note, Replayed):
                for keeper in self.keepers.values():
                    keeper.replayed()
            elif isinstance(note, AgedOut):
                for symbol in note.symbols:
                    self._hand_over(self.keepers[symbol].unavailable(note.reason))
            elif isinstance(note, Skipped):
                events.append(self._event("slow_reader", note.reason))
                self._log.warning("the venue says that this reader is too slow", reason=note.reason)
            elif isinstance(note, Refusal):
                refusal = note
        self._hand_over((), corrections, events)
        if refusal is not None:
            raise RefusedError(refusal.reason, refusal.hint)

    def wanted(self, symbol: str, now_s: float) -> Wanted | None:
        """Return the history that is wanted of a symbol now."""
        keeper = self.keepers[symbol]
        if keeper.is_complete:
            self.unsettled.discard(symbol)
            return None
        return keeper.wanted(now_s)

    def page(self, symbol: str, page: Page) -> bool:
        """Take a page of history; returns whether a further one of the same answer is of use."""
        keeper = self.keepers[symbol]
        self._references.see(page.prints)
        self._count_unknown_conditions(page)
        published = keeper.page(page.prints)
        corrections = [one for one in page.corrections if self._is_new(keeper, one)]
        bad = [one for one in page.bad if one.raw not in self._bad_rows]
        self._remember_bad_rows(bad)
        self._hand_over(published, corrections, bad=bad)
        return not keeper.is_blocked

    def _remember_bad_rows(self, bad: Sequence[BadMessage]) -> None:
        """Remember rows of history that cannot be used: a question that is asked again has them again."""
        if len(self._bad_rows) >= MOST_BAD_ROWS:
            self._bad_rows.clear()
        self._bad_rows.update(one.raw for one in bad)

    def answered(self, symbol: str, asked_s: float, now_s: float) -> None:
        """Note the end of an answer to a question that was asked at `asked_s`."""
        self._hand_over(self.keepers[symbol].answered(asked_s, now_s), moved=[symbol])

    def unavailable(self, symbol: str, reason: str) -> None:
        """Note that the venue will not answer."""
        self._log.warning("prints are lost", symbol=symbol, reason=reason)
        self._hand_over(self.keepers[symbol].unavailable(reason), moved=[symbol])

    def settle(self, note: ReferringCorrection, trade_ids: Sequence[str], reason: str) -> None:
        """Hand over a correction, of which it is known now which trade it may mean, and else why not."""
        correction, bad = note.correction, []
        if len(trade_ids) == 1:
            if note.renamed is not None:
                self._references.add(note.renamed, trade_ids[0])
            correction = msgspec.structs.replace(correction, trade_id=trade_ids[0])
        else:
            words = f"its trade cannot be told: {reason}"
            if trade_ids:
                words = f"it fits {len(trade_ids)} trades: {', '.join(trade_ids[:3])}"
            bad = [BadMessage(note.raw, f"a correction without its trade ({note.reference}): {words}")]
        keeper = self.keepers.get(correction.symbol)
        if keeper is None:
            self._hand_over((), [correction], bad=bad)
            return
        is_new = self._is_new(keeper, correction)
        self._hand_over((), [correction] if is_new else (), bad=bad, moved=[correction.symbol])

    def _take_correction(self, note: ReferringCorrection) -> None:
        found = self._references.find(note.reference)
        if found or self._look_up is None:
            self.settle(note, found, "it is not remembered")
        else:
            self._look_up(note)

    def _is_new(self, keeper: Keeper, correction: Correction) -> bool:
        return keeper.takes(correction.correction_id, self._times.nanos(correction.timestamp))

    def _note_unsettled(self, symbol: str, keeper: Keeper) -> None:
        if not keeper.is_complete:
            self.unsettled.add(symbol)

    def _count_unknown_conditions(self, came: Frame | Page) -> None:
        for condition in came.unknown_conditions:
            metrics.UNKNOWN_CONDITIONS.labels(self._venue.name, condition[:MOST_CONDITION_CHARS]).inc()

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
            self._out.add(published, corrections, events, bad, moved)

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
                self._now_text(),
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

    def _event(self, name: EventName, reason: str | None = None) -> FeedEvent:
        return FeedEvent(self._now_text(), self._venue.name, name, reason=reason)

    def _now_text(self) -> str:
        return self._times.text(self.shared.clock_ns)
