"""Runs a recorded session again: what came goes through the same code, and the same is to be published."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from services.contracts.correction import Correction
from services.contracts.feed_event import FeedEvent
from services.sources.feeds.handoff import Batch
from services.sources.feeds.messages import BadMessage, HistoryRequest, Print
from services.sources.feeds.recording import Entry, read_recording
from services.sources.feeds.registry import make_venue
from services.sources.feeds.state import FeedState
from services.sources.feeds.venue import RefusedError, Venue

BATCH_PRINTS = 5_000


class _Collected:
    """Collects what is to be published."""

    def __init__(self) -> None:
        self.batch = Batch()

    def add(
        self,
        prints: Sequence[Print] = (),
        corrections: Sequence[Correction] = (),
        events: Sequence[FeedEvent] = (),
        bad: Sequence[BadMessage] = (),
        moved: Sequence[str] = (),  # noqa: ARG002 - a replay has no cursors but its own
    ) -> None:
        self.batch.add(prints, corrections, events, bad)


def replay(path: Path) -> Iterator[tuple[int, Batch]]:
    """Run a recorded session again.

    Corrections that history had to be asked for come without their trades.

    Parameters
    ----------
    path
        A file that a `FileRecording` has written.

    Yields
    ------
    tuple
        How many entries have been run, and what they came to since the batch before.

    Raises
    ------
    TapewatchError
        It is no such file, or its venue is not known.
    """
    head, entries = read_recording(path)
    venue = make_venue(head.venue, head.symbols)
    out = _Collected()
    state = FeedState(venue, head.places, out)
    number = 0
    for number, entry in enumerate(entries, 1):
        _run(state, venue, entry)
        if len(out.batch.prints) >= BATCH_PRINTS:
            yield number, out.batch
            out.batch = Batch()
    yield number, out.batch


def _run(state: FeedState, venue: Venue, entry: Entry) -> None:
    state.shared.clock_ns = entry.ns
    match entry.kind:
        case "connected":
            state.resume()
            state.connected(entry.at_s)
        case "frame":
            try:
                state.frame(entry.raw, entry.at_s)
            except RefusedError as error:
                structlog.get_logger().warning("the venue refused the feed", reason=error.reason)
        case "asked":
            state.wanted(entry.symbol, entry.at_s)
        case "history":
            request = HistoryRequest(entry.symbol, entry.path, entry.state)
            state.page(entry.symbol, venue.decode_page(request, entry.raw))
        case "answered":
            state.answered(entry.symbol, entry.asked_s, entry.at_s)
        case "unavailable":
            state.unavailable(entry.symbol, entry.text)
        case "lost" | "silent":
            state.ended(entry.kind, entry.text)
