"""`tapewatch feed`: a venue's live feed into the topic `trades`, without a gap that is not recorded."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping
from types import MappingProxyType

import structlog

from services.common.config.settings import Settings
from services.common.kafka.connection import kafka_connection
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.kafka.transactions import StoppedWaitingError
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.process.memory import tune_memory
from services.common.process.shutdown import Stop
from services.contracts.components import FEED
from services.contracts.topics import (
    CORRECTIONS_TOPIC,
    DEAD_LETTERS_TOPIC,
    FEED_EVENTS_TOPIC,
    PROGRESS_TOPIC,
    TRADES_TOPIC,
)
from services.producer.feed_publisher import FeedPublisher
from services.producer.metrics import Tally
from services.sources.feeds.place import Place
from services.sources.feeds.recording import NO_RECORDING, Recording
from services.sources.feeds.session import Session
from services.sources.feeds.venue import Venue

TOPICS = [TRADES_TOPIC, CORRECTIONS_TOPIC, FEED_EVENTS_TOPIC, DEAD_LETTERS_TOPIC, PROGRESS_TOPIC]
TAKE_S = 0.1
COMMIT_EVERY_S = 0.01
"""At least so long from one transaction to the next: each costs as much as some twenty prints."""

END_S = 3.0
"""A connection that does not close by then is left."""


def run_feed(
    venue: Venue,
    settings: Settings,
    duration_s: float | None = None,
    recording: Recording = NO_RECORDING,
    first_places: Mapping[str, Place] = MappingProxyType({}),
) -> int:
    """Publish a venue's feed until a stop.

    Parameters
    ----------
    venue
        The venue, with its symbols.
    settings
        Where Kafka is.
    duration_s
        End by itself after so long, in seconds; None for never.
    recording
        Keeps what the venue sends.
    first_places
        Where to begin with symbols that were not published yet; else with their first live print.

    Returns
    -------
    int
        Exit code: 0 after the duration or a stop.

    Raises
    ------
    TapewatchError
        The venue refuses for good, a topic is missing or unsafe, or another process publishes this feed.
    """
    log = structlog.get_logger().bind(venue=venue.name)
    tune_memory()
    kafka = kafka_connection(settings)
    stop = Stop()
    health = Health()
    with serve_metrics(FEED, settings, health):
        if not wait_for_safe_topics(kafka, TOPICS, stop, health):
            return 0
        tally = Tally(health, None)
        try:
            publisher = FeedPublisher(venue.name, kafka, stop, tally)
            progress = publisher.claim()
            if progress is None:
                return 0
            places = {**first_places, **progress.places}
            session = Session(venue, places, recording, waiting=progress.waiting)
            resuming = len(progress.places.keys() & session.watched)
            log.info("publishing", symbols=list(venue.symbols)[:20], resuming=resuming)
            reader = FeedReader(session)
            ends_s = None if duration_s is None else time.monotonic() + duration_s
            _publish(reader, publisher, stop, health, ends_s)
        except StoppedWaitingError:
            log.warning("stopped while Kafka was unavailable; the next run resumes after the last commit")
        log.info(
            "published", trades=tally.trades, bad_messages=tally.rejected, seconds=round(tally.seconds, 1)
        )
    return 0


class FeedReader:
    """Runs a session in a thread of its own.

    Parameters
    ----------
    session
        The session; it begins to connect at once.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.handoff = session.handoff
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    @property
    def why_behind(self) -> str | None:
        """Why the feed may miss prints that the venue has; None if it misses nothing that it knows of."""
        return self._session.why_behind

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._session.run())
        except BaseException as error:
            self._failure = error
        finally:
            self._loop.close()

    @property
    def has_ended(self) -> bool:
        """Whether it reads no more."""
        return not self._thread.is_alive()

    def end(self) -> None:
        """End the session, within a moment."""
        if not self.has_ended:
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                self._loop.call_soon_threadsafe(self._session.stop)
            self._thread.join(END_S)

    def raise_failure(self) -> None:
        """Raise what ended the session, if it was not a stop."""
        if self._failure is not None:
            raise self._failure


def _publish(
    reader: FeedReader, publisher: FeedPublisher, stop: Stop, health: Health, ends_s: float | None
) -> None:
    """Publish what the reader reads, until a stop, the end of the time, or the venue's refusal."""
    try:
        while not stop.requested and not reader.has_ended and (ends_s is None or time.monotonic() < ends_s):
            health.beat()
            why_behind = reader.why_behind
            health.ready, health.detail = why_behind is None, why_behind or ""
            batch = reader.handoff.take(TAKE_S)
            if not batch.is_empty:
                began_s = time.monotonic()
                publisher.publish(batch)
                stop.wait(max(0.0, began_s + COMMIT_EVERY_S - time.monotonic()))
    finally:
        health.ready, health.detail = False, "stopping"
        reader.end()
    if reader.has_ended:
        while not (batch := reader.handoff.rest()).is_empty:
            publisher.publish(batch)
    reader.raise_failure()
