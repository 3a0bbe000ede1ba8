"""`tapewatch feed --replay`: a recorded session into the topics, each print once, also after a kill."""

import hashlib
from pathlib import Path

import structlog

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.connection import kafka_connection
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.kafka.transactions import StoppedWaitingError
from services.common.observability.health import Health
from services.common.process.shutdown import Stop
from services.producer.feed_publisher import FeedPublisher
from services.producer.feed_service import TOPICS
from services.producer.metrics import Tally
from services.sources.feeds.replay import replay


def run_replay(path: Path, settings: Settings) -> int:
    """Publish a recorded session; what an earlier run has published is left out.

    Parameters
    ----------
    path
        The file.
    settings
        Where Kafka is.

    Returns
    -------
    int
        Exit code: 0 when all is published, 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        It is no recorded session, or Kafka rejects it.
    """
    log = structlog.get_logger().bind(file=path.name)
    kafka = kafka_connection(settings)
    stop = Stop()
    health = Health()
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TapewatchError(f"{path} cannot be read: {error.strerror}.", "Check its name.") from None
    batches = replay(path)
    if not wait_for_safe_topics(kafka, TOPICS, stop, health):
        return 128 + (stop.signal or 0)
    tally = Tally(health, None)
    try:
        publisher = FeedPublisher(f"replay:{digest}", kafka, stop, tally)
        progress = publisher.claim()
        done = 0 if progress is None else progress.feed.entries
        for entries, batch in batches:
            if stop.requested:
                break
            if entries > done:
                publisher.publish(batch, entries)
    except StoppedWaitingError:
        log.warning("stopped while Kafka was unavailable; the next run resumes after the last commit")
    log.info("published", trades=tally.trades, bad_messages=tally.rejected, seconds=round(tally.seconds, 1))
    return 128 + stop.signal if stop.signal else 0
