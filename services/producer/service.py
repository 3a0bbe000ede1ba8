"""`tapewatch produce`: files of trades into the topic `trades`, their bad rows into `dead-letters`."""

import sys
from collections.abc import Sequence

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection, kafka_connection
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.kafka.transactions import StoppedWaitingError
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.process.memory import tune_memory
from services.common.process.shutdown import Stop
from services.contracts.components import PRODUCER
from services.contracts.topics import DEAD_LETTERS_TOPIC, PROGRESS_TOPIC, TRADES_TOPIC
from services.producer.metrics import Tally
from services.producer.publisher import Publisher
from services.sources.base import Source

TOPICS = [TRADES_TOPIC, DEAD_LETTERS_TOPIC, PROGRESS_TOPIC]


def run_produce(
    sources: Sequence[Source],
    settings: Settings,
    speed: float | None,
    limit: int | None,
    again: bool,
) -> int:
    """Publish every trade of the sources that was not published before.

    Parameters
    ----------
    sources
        In the order in which they are published.
    settings
        Settings that say where Kafka is.
    speed
        Event seconds in a second; None for as fast as possible. Each file starts its own clock.
    limit
        Publish that many trades at most.
    again
        Publish each file from its beginning, whatever was published before.

    Returns
    -------
    int
        Exit code: 0 when all was published, 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        A source cannot be replayed at a speed (nothing has been published then), a topic is missing or
        unsafe, the broker rejected a trade, or another producer took a source over.
    """
    log = structlog.get_logger()
    tune_memory()
    kafka = kafka_connection(settings)
    stop = Stop()
    _check_speed(sources, speed)
    health = Health()
    with serve_metrics(PRODUCER, settings, health):
        if not wait_for_safe_topics(kafka, TOPICS, stop, health):
            return 128 + (stop.signal or 0)
        health.ready = True
        tally = Tally(health, limit)
        log.info("publishing", files=[source.name for source in sources])
        try:
            with _progress_bars() as bars:
                for source in sources:
                    if tally.is_full or stop.requested:
                        break
                    _publish(source, kafka, speed, again, stop, tally, bars)
        except StoppedWaitingError:
            log.warning("stopped while Kafka was unavailable; the next run resumes after the last commit")
        log.info(
            "published",
            trades=tally.trades,
            bad_rows=tally.rejected,
            seconds=round(tally.seconds, 2),
            trades_per_s=round(tally.trades / max(tally.seconds, 1e-9)),
            stopped=stop.requested,
        )
    return 128 + stop.signal if stop.signal else 0


def _check_speed(sources: Sequence[Source], speed: float | None) -> None:
    by_symbol = [source.name for source in sources if not source.in_time_order]
    if speed is not None and by_symbol:
        raise TapewatchError(
            f"{by_symbol[0]} is sorted by symbol and then by time, so it cannot be replayed at a speed:"
            " one symbol's day would follow the other's.",
            "Publish it without --speed; each symbol's trades are judged in their own order.",
        )


def _publish(
    source: Source,
    kafka: KafkaConnection,
    speed: float | None,
    again: bool,
    stop: Stop,
    tally: Tally,
    bars: Progress,
) -> None:
    """Publish one source, with a bar of its own."""
    task = bars.add_task(source.name, total=source.size, trades=0, rate=0)
    trades_before = tally.trades

    def show(position: int) -> None:
        trades = tally.trades - trades_before
        rate = trades / max(bars.tasks[task].elapsed or 0, 0.1)
        bars.update(task, completed=position, trades=trades, rate=rate)

    Publisher(source, kafka, stop, tally).publish(speed, again, show)


def _progress_bars() -> Progress:
    """Show a bar for each file, on a terminal only."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[trades]:>12,} trades"),
        TextColumn("{task.fields[rate]:>9,.0f}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
