"""`tapewatch generate --live`: a source that runs until it is stopped, into the topic `trades`."""

import threading

import structlog

from services.common.config.settings import Settings
from services.common.kafka.connection import kafka_connection
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.kafka.transactions import StoppedWaitingError
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.process.memory import tune_memory
from services.common.process.shutdown import Stop
from services.contracts.components import PRODUCER
from services.producer.metrics import Tally
from services.producer.publisher import Publisher
from services.producer.service import TOPICS
from services.sources.base import Source


def run_stream(source: Source, settings: Settings, duration_s: float | None) -> int:
    """Publish a source that never ends, until a stop.

    Parameters
    ----------
    source
        The source.
    settings
        Where Kafka is.
    duration_s
        End by itself after so long, in seconds; None for never.

    Returns
    -------
    int
        Exit code: 0 after the duration or a stop.

    Raises
    ------
    TapewatchError
        A topic is missing or unsafe, or another process publishes this source.
    """
    log = structlog.get_logger().bind(source=source.name)
    tune_memory()
    kafka = kafka_connection(settings)
    stop = Stop()
    health = Health()
    with serve_metrics(PRODUCER, settings, health):
        if not wait_for_safe_topics(kafka, TOPICS, stop, health):
            return 0
        health.ready = True
        if duration_s is not None:
            end = threading.Timer(duration_s, stop.request)
            end.daemon = True
            end.start()
        tally = Tally(health, None)
        log.info("publishing")
        try:
            Publisher(source, kafka, stop, tally).publish(None, again=False, show=lambda _: None)
        except StoppedWaitingError:
            log.warning("stopped while Kafka was unavailable; the next run resumes after the last commit")
        log.info("published", trades=tally.trades, seconds=round(tally.seconds, 1))
    return 0
