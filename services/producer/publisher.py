"""Publishes a source exactly once: its rows and its cursor in the same transactions.

1. Become the only producer of this source (its transactional id): an older one is fenced.
2. Read the source's progress, and commit it again under this process's name.
3. Publish rows, good and rejected, in the source's order; commit them together with the cursor behind the
   last one every `COMMIT_ROWS`, `COMMIT_REJECTED_BYTES` or `COMMIT_S`, and before the next chunk is asked
   for: that may take longer than Kafka leaves a transaction open.
4. After the last rows, commit that the source is complete.

After an abort, whatever the reason, go back to 1.
"""

import math
import time
import uuid
from collections.abc import Callable, Iterator

import msgspec
import polars as pl
import structlog
from confluent_kafka import KafkaException

from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.dead_letters import publish_rejected_row
from services.common.kafka.transactions import TransactionAbortedError, Transactions
from services.common.observability.counters import ABORTS, COMMIT_SECONDS, EVENT_LAG_S
from services.common.process.shutdown import Stop
from services.contracts.components import PRODUCER
from services.contracts.topics import PROGRESS_TOPIC
from services.producer.metrics import Tally
from services.producer.pacing import Clock, slices
from services.producer.parts import in_parts
from services.producer.pending import Pending
from services.producer.produce_trades import produce_trades
from services.producer.progress import Progress, load_progress
from services.producer.progress_records import TAKEOVER_S
from services.sources.ahead import read_ahead
from services.sources.base import Chunk, RejectedRow, Source

SHOWN_REJECTED_ROWS = 20


class Publisher:
    """Publishes a source.

    Parameters
    ----------
    source
        The source.
    kafka
        Connection to Kafka.
    stop
        Ends the work between two groups of rows; what was handed to Kafka is committed.
    tally
        Counts what was committed.
    """

    def __init__(self, source: Source, kafka: KafkaConnection, stop: Stop, tally: Tally) -> None:
        self._source = source
        self._kafka = kafka
        self._stop = stop
        self._tally = tally
        self._log = structlog.get_logger().bind(file=source.name)
        self._owner = uuid.uuid4().hex
        self._key = source.identity
        name = f"tapewatch-producer-{self._key[:32]}"
        self._transactions = Transactions(kafka, name, stop, tally.health.beat)
        self._progress = Progress(file=source.name)
        self._pending = Pending(cursor=None, began_s=0.0)
        self._rejected_shown = 0

    def publish(self, speed: float | None, again: bool, show: Callable[[int], None]) -> None:
        """Publish what is left of the source.

        Parameters
        ----------
        speed
            Event seconds in a second; None for no waiting.
        again
            Start at the first row.
        show
            Told how far the work has come, in the units of `Source.size`.

        Raises
        ------
        TapewatchError
            Another producer publishes the same source, or Kafka rejected a trade.
        """
        clock = Clock()
        is_first_try = True
        from_start = again
        while True:
            try:
                self._claim(from_start, is_first_try)
                from_start = False
                if self._stop.requested:
                    return  # a stop ends the reading of the progress early: nothing may be committed from it
                if self._progress.complete:
                    self._log.info(
                        "already published; nothing to do (use --again to republish)",
                        trades=self._progress.trades,
                    )
                    return
                try:
                    self._publish_rows(speed, clock, show)
                except KafkaException as error:
                    self._transactions.fail(error)
                except BufferError as error:  # the client's queue is full
                    self._transactions.abort(str(error))
            except TransactionAbortedError as error:
                is_first_try = False
                ABORTS.labels(PRODUCER.service).inc()
                self._log.warning("transaction aborted, resuming after the last commit", error=str(error))
                if error.fenced:
                    self._check_owner()
                    self._transactions.open()
            else:
                return

    def _claim(self, from_start: bool, is_first_try: bool) -> None:
        """Read how far the source was published, and commit that this process continues it."""
        stored = None if from_start else load_progress(self._kafka, self._key, self._stop)
        self._progress = msgspec.structs.replace(stored or Progress(""), file=self._source.name)
        if self._progress.complete or self._stop.requested:
            return
        cursor = self._progress.resume_after
        if is_first_try and cursor is not None:
            where = {"after_line": cursor} if self._source.line_is_cursor else {"after": cursor}
            self._log.info("resuming", **where, trades=self._progress.trades)
        self._begin()
        self._commit(complete=False)

    def _publish_rows(self, speed: float | None, clock: Clock, show: Callable[[int], None]) -> None:
        position = 0
        self._begin()
        chunks = self._source.chunks(self._progress.resume_after)
        for chunk in read_ahead(chunks) if self._source.line_is_cursor else chunks:
            self._tally.health.beat()
            self._pending.began_s = time.monotonic()  # nothing is in it, however long the reading took
            for part in self._parts(chunk, speed, clock, position):
                self._publish(part)
                self._commit_if_due()
                show(part.position)
                if self._finished:
                    break
            if self._finished:
                break
            self._pending.cursor = chunk.cursor
            self._commit_if_due(within_s=math.inf)
            position = chunk.position
            show(position)
        self._commit(complete=not self._finished)

    @property
    def _finished(self) -> bool:
        room = self._tally.room
        return self._stop.requested or (room is not None and self._pending.trades >= room)

    def _parts(self, chunk: Chunk, speed: float | None, clock: Clock, position: int) -> Iterator[Chunk]:
        """Yield what can be committed by itself, when it is due; nothing more after a stop."""
        if not self._source.line_is_cursor:
            yield chunk
            return
        for part in in_parts(chunk, self._due_slices(chunk.trades, speed, clock), position):
            if self._stop.requested:
                return
            yield part

    def _due_slices(self, trades: pl.DataFrame, speed: float | None, clock: Clock) -> Iterator[slice]:
        """Yield slices that are due and not empty, none reaching beyond the limit."""
        room = self._tally.room
        limit = None if room is None else room - self._pending.trades
        for piece in slices(trades["ts_event"].to_numpy()[:limit], speed, clock, sleep=self._nap):
            if self._stop.requested:
                return
            if piece.stop > piece.start:
                yield piece
            else:
                self._commit_if_due()

    def _nap(self, seconds: float) -> None:
        """Wait for the next trade's time; what is already handed over does not wait with it."""
        self._tally.health.beat()
        self._commit_if_due(within_s=seconds)
        self._stop.wait(seconds)

    def _publish(self, part: Chunk) -> None:
        """Hand a part's rows to Kafka, in a transaction that is committed with its cursor or not at all."""
        self._tally.health.beat()
        for row in part.rejected:
            self._publish_rejected(row)
        if len(part.trades):
            values = self._source.to_json(part.trades)
            keys = [symbol.encode() for symbol in part.trades["symbol"]]
            produce_trades(self._transactions.producer, zip(keys, values, strict=True))
            EVENT_LAG_S.labels(PRODUCER.service).set(time.time() - part.trades["ts_event"][-1] / 1e9)
        self._transactions.producer.poll(0)
        self._pending.add(part)

    def _publish_rejected(self, row: RejectedRow) -> None:
        producer = self._transactions.producer
        publish_rejected_row(producer, PRODUCER.service, row.reason, row.raw, self._source.name, row.line)
        self._rejected_shown += 1
        if self._rejected_shown <= SHOWN_REJECTED_ROWS:
            self._log.warning("bad row", line=row.line, error=row.reason[:300])
        elif self._rejected_shown == SHOWN_REJECTED_ROWS + 1:
            self._log.warning("more bad rows follow; all are in the topic dead-letters")

    def _begin(self) -> None:
        self._transactions.begin()
        self._pending = Pending(self._progress.resume_after, began_s=time.monotonic())

    def _commit_if_due(self, within_s: float = 0.0) -> None:
        """Commit if the transaction is large, or would be old in so many seconds."""
        now_s = time.monotonic()
        is_old = self._pending.is_old(now_s, within_s)
        if self._pending.cursor == self._progress.resume_after:
            if is_old:  # nothing in it: only keep it young
                self._pending.began_s = now_s
        elif is_old or self._pending.is_large:
            self._commit(complete=False)
            self._begin()

    def _commit(self, complete: bool) -> None:
        """Commit the open transaction with the progress that it makes."""
        progress = self._progress.advanced(self._pending, complete, self._owner)
        self._transactions.producer.produce(
            PROGRESS_TOPIC, key=self._key.encode(), value=msgspec.json.encode(progress)
        )
        began_s = time.monotonic()
        self._transactions.commit()
        COMMIT_SECONDS.labels(PRODUCER.service).observe(time.monotonic() - began_s)
        self._progress = progress
        self._tally.add(self._pending.trades, self._pending.rejected)
        self._tally.health.beat()

    def _check_owner(self) -> None:
        """After having been fenced: end if another process took over; else the transaction was just too old.

        Raises
        ------
        TapewatchError
            Another process took over.
        """
        self._stop.wait(TAKEOVER_S)
        stored = load_progress(self._kafka, self._key, self._stop)
        if stored is not None and stored.owner != self._owner and not self._stop.requested:
            raise TapewatchError(
                f"Another producer has taken over {self._source.name} and will continue it.",
                "Nothing needs to be done: one producer for a file is enough.",
            )
