"""`tapewatch produce`: files of trades into the topic `trades`, their bad rows into `dead-letters`."""

import sys
import time
from dataclasses import dataclass, field

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from services.common.contracts import DEAD_LETTERS_TOPIC, TRADES_TOPIC
from services.common.dead_letters import publish_refused_row
from services.common.errors import TapewatchError
from services.common.kafka import new_producer, wait_for_topics
from services.common.settings import Settings
from services.common.stops import Stop
from services.producer.pacing import Clock, slices
from services.producer.rows import Chunk, Source
from services.producer.sources import open_sources
from services.producer.trade_ids import TradeIds
from services.producer.trade_json import to_json

MAX_UNSENT = 200_000
SHOWN_BAD_ROWS = 20


@dataclass
class Tally:
    """What was done so far."""

    trades: int = 0
    bad_rows: int = 0
    began_s: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self.began_s


def run_produce(names: list[str], settings: Settings, speed: float | None, limit: int | None) -> int:
    """Publish every trade of the named files.

    Parameters
    ----------
    names
        Files and globs.
    settings
        Where Kafka is.
    speed
        Event seconds in a second; None for as fast as possible. Each file starts its own clock.
    limit
        Publish that many trades at most.

    Returns
    -------
    int
        Exit code: 0 when all was published, 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        A file is not trades (nothing has been published then), a topic is missing, or the broker refused.
    """
    log = structlog.get_logger()
    stop = Stop()
    sources = open_sources(names)
    if not wait_for_topics(settings.kafka, [TRADES_TOPIC, DEAD_LETTERS_TOPIC], stop):
        return 128 + (stop.signal or 0)
    # No time limit for delivery: a broker that goes away is waited for.
    publisher = Publisher(new_producer(settings.kafka, **{"message.timeout.ms": 0}), stop, limit)
    log.info("publishing", files=[source.path.name for source in sources])
    with _progress() as progress:
        for source in sources:
            task = progress.add_task(source.path.name, total=source.path.stat().st_size, trades=0, rate=0)
            publisher.publish_file(source, speed, progress, task)
    publisher.flush()
    tally = publisher.tally
    log.info(
        "published",
        trades=tally.trades,
        bad_rows=tally.bad_rows,
        seconds=round(tally.seconds, 2),
        trades_per_s=round(tally.trades / max(tally.seconds, 1e-9)),
        stopped=stop.requested,
    )
    return 128 + stop.signal if stop.signal else 0


class Publisher:
    """Sends trades and dead letters, in order, and keeps count.

    Parameters
    ----------
    producer
        An idempotent one.
    stop
        Ends the work between two slices.
    limit
        Trades to publish at most, None for all.
    """

    def __init__(self, producer: Producer, stop: Stop, limit: int | None) -> None:
        self.tally = Tally()
        self._producer = producer
        self._stop = stop
        self._limit = limit
        self._failure: KafkaError | None = None

    @property
    def _finished(self) -> bool:
        return self._stop.requested or (self._limit is not None and self.tally.trades >= self._limit)

    def publish_file(self, source: Source, speed: float | None, progress: Progress, task: TaskID) -> None:
        """Publish one file's trades, waiting for their time if a speed is given."""
        ids = TradeIds()
        clock = Clock()
        published_before = self.tally.trades
        position_bytes = 0
        for chunk in source.chunks():
            if self._finished:
                break
            room = len(chunk.trades) if self._limit is None else self._limit - self.tally.trades
            trades = chunk.trades.head(room)
            values = to_json(trades, ids.name(trades))
            keys = [symbol.encode() for symbol in trades["symbol"]]
            self._publish_bad_rows(
                chunk, up_to_line=None if room >= len(chunk.trades) else trades["line"][-1]
            )
            for piece in slices(trades["ts_event"].to_numpy(), speed, clock, sleep=self._nap):
                if self._stop.requested:
                    break
                self._publish(keys[piece], values[piece])
                count = self.tally.trades - published_before
                share = piece.stop / len(trades)
                progress.update(
                    task,
                    completed=position_bytes + (chunk.position_bytes - position_bytes) * share,
                    trades=count,
                    rate=count / max(progress.tasks[task].elapsed or 0, 0.1),
                )
            position_bytes = chunk.position_bytes

    def _nap(self, seconds: float) -> None:
        self._producer.poll(0)
        self._stop.wait(seconds)

    def _publish(self, keys: list[bytes], values: list[bytes]) -> None:
        """Hand a slice to the client. It never meets a full queue, which would change the order."""
        while len(self._producer) > MAX_UNSENT:
            self._producer.poll(0.05)
            self._raise_failure()
        messages = [{"key": key, "value": value} for key, value in zip(keys, values, strict=True)]
        queued = self._producer.produce_batch(TRADES_TOPIC, messages, on_delivery=self._delivered)
        if queued < len(messages):
            refused = next(message["_error"] for message in messages if "_error" in message)
            raise TapewatchError(
                f"Kafka's client refused a trade: {refused}.", "Is the value larger than 1 MB?"
            )
        self._producer.poll(0)
        self._raise_failure()
        self.tally.trades += len(values)

    def _publish_bad_rows(self, chunk: Chunk, up_to_line: int | None) -> None:
        log = structlog.get_logger()
        for row in chunk.bad_rows:
            if up_to_line is not None and row.line > up_to_line:
                break
            while len(self._producer) > MAX_UNSENT:
                self._producer.poll(0.05)
            publish_refused_row(
                self._producer, "producer", row.error, row.raw, row.file, row.line, self._delivered
            )
            self.tally.bad_rows += 1
            if self.tally.bad_rows <= SHOWN_BAD_ROWS:
                log.warning("bad row", file=row.file, line=row.line, error=row.error)
            elif self.tally.bad_rows == SHOWN_BAD_ROWS + 1:
                log.warning("more bad rows follow; all are in the topic dead-letters")

    def flush(self) -> None:
        """Wait until the broker has everything; a stop does not cut this short, only a second one."""
        while self._producer.flush(1.0):
            self._raise_failure()
        self._raise_failure()

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._failure = self._failure or error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise TapewatchError(
                f"Kafka did not take a trade: {self._failure.str()}.",
                "Look at the broker, then publish the file again: what is there already changes nothing.",
            ) from KafkaException(self._failure)


def _progress() -> Progress:
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
