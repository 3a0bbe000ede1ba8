"""Publishes one file exactly once: its rows and its progress in the same transactions.

1. Become the one producer of this content (its transactional id): an older one is fenced.
2. Read the file's progress, and commit it anew under this process's name.
3. Publish rows, good and bad; commit them together with the last line's number every `COMMIT_ROWS`,
   `COMMIT_BAD_BYTES` or `COMMIT_S`, and before the next chunk of the file is read: that may take longer than
   Kafka leaves a transaction open.
4. After the last rows, commit that the file is complete.

After an abort, whatever the reason, go back to 1.
"""

import math
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
import structlog
from confluent_kafka import KafkaException

from services.common.errors import TapewatchError
from services.common.kafka.dead_letters import publish_refused_row
from services.common.kafka.transactions import TransactionAbortedError, Transactions
from services.common.observability.counters import ABORTS, COMMIT_SECONDS, EVENT_LAG_S
from services.common.process.shutdown import Stop
from services.contracts.topics import PROGRESS_TOPIC, TRADES_TOPIC
from services.producer.metrics import Tally
from services.producer.pacing import MAX_SLICE_TRADES, Clock, slices
from services.producer.progress import Progress, content_hash, load_progress
from services.sources.base import BadRow, Source
from services.sources.databento.trade_ids import TradeIds
from services.sources.encode import to_json

COMMIT_ROWS = 50_000
"""Transactions of so many rows cost nothing; of 5,000, more than half of the speed."""

COMMIT_BAD_BYTES = 16 << 20
"""Bad rows may be long; what is not committed waits in the client's memory."""

COMMIT_S = 0.25
"""A slow stream is committed that often: readers see trades only then."""

TAKEOVER_S = 2.0
"""A producer that took over has written its name by then."""

SHOWN_BAD_ROWS = 20


@dataclass
class _Pending:
    """What the open transaction holds, and where it began."""

    line: int
    trades: int = 0
    bad_rows: int = 0
    bad_bytes: int = 0
    began_s: float = 0.0


class FilePublisher:
    """Publishes a file.

    Parameters
    ----------
    source
        The file.
    kafka
        Bootstrap servers.
    stop
        Ends the work between two groups of rows; what was handed to Kafka is committed.
    tally
        Counts what was committed.
    """

    def __init__(self, source: Source, kafka: str, stop: Stop, tally: Tally) -> None:
        self._source = source
        self._kafka = kafka
        self._stop = stop
        self._tally = tally
        self._log = structlog.get_logger().bind(file=source.path.name)
        self._owner = uuid.uuid4().hex
        self._key = content_hash(source.path)
        name = f"tapewatch-producer-{self._key[:32]}"
        self._transactions = Transactions(kafka, name, stop, tally.health.beat)
        self._progress = Progress(file=source.path.name)
        self._pending = _Pending(line=0)
        self._bad_rows_shown = 0

    def publish(self, speed: float | None, again: bool, show: Callable[[float], None]) -> None:
        """Publish what is left of the file.

        Parameters
        ----------
        speed
            Event seconds in a second; None for no waiting.
        again
            Begin at the first row.
        show
            Told how far into the stored file the work has come, in bytes.

        Raises
        ------
        TapewatchError
            Another producer publishes the same content, or Kafka refused a trade.
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
                        "published before; nothing to do (--again publishes it anew)",
                        trades=self._progress.trades,
                    )
                    return
                try:
                    self._publish_rows(speed, clock, show)
                except KafkaException as error:
                    self._transactions.fail(error)
                except BufferError as error:  # the client holds as much as it can
                    self._transactions.abort(str(error))
            except TransactionAbortedError as error:
                is_first_try = False
                ABORTS.labels("producer").inc()
                self._log.warning("transaction aborted, going on after the last commit", error=str(error))
                if error.fenced:
                    self._check_owner()
                    self._transactions.open()
            else:
                return

    def _claim(self, from_start: bool, is_first_try: bool) -> None:
        """Read how far the file was published, and commit that it is this process which goes on."""
        stored = None if from_start else load_progress(self._kafka, self._key, self._stop)
        name = self._source.path.name
        self._progress = stored or Progress(file=name)
        if self._progress.complete or self._stop.requested:
            return
        if is_first_try and self._progress.line:
            self._log.info("goes on", after_line=self._progress.line, trades=self._progress.trades)
        self._begin()
        self._commit(complete=False)

    def _publish_rows(self, speed: float | None, clock: Clock, show: Callable[[float], None]) -> None:
        ids = TradeIds()
        position_bytes = 0
        done_line = self._progress.line
        self._begin()
        for chunk in self._source.chunks():
            self._tally.health.beat()
            self._pending.began_s = time.monotonic()  # nothing is in it, however long the reading took
            names = ids.name(chunk.trades)  # of all, as an ordinal counts those before
            is_new = chunk.trades["line"] > done_line
            trades, names = chunk.trades.filter(is_new), names.filter(is_new)
            bad_rows = deque(row for row in chunk.bad_rows if row.line > done_line)
            for piece in self._due_slices(trades, speed, clock):
                self._publish_slice(trades[piece], names[piece], bad_rows)
                show(position_bytes + (chunk.position_bytes - position_bytes) * piece.stop / len(trades))
                if self._finished:
                    break
            if self._finished:
                break
            while bad_rows and not self._stop.requested:
                self._publish_bad_rows(_next_group(bad_rows, math.inf))
                self._commit_if_due()
            if self._finished:
                break
            self._commit_if_due(within_s=COMMIT_S)
            position_bytes = chunk.position_bytes
            show(position_bytes)
        self._commit(complete=not self._finished)

    @property
    def _finished(self) -> bool:
        room = self._tally.room
        return self._stop.requested or (room is not None and self._pending.trades >= room)

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

    def _publish_slice(self, trades: pl.DataFrame, names: pl.Series, bad_rows: deque[BadRow]) -> None:
        """Publish trades, and with them the bad rows before the last one; ends early at a stop.

        It goes by groups of bad rows: a commit may come only where no row before it, good or bad, is left.
        """
        lines = trades["line"].to_numpy()
        start = 0
        while start < len(lines) and not self._stop.requested:
            self._publish_bad_rows(_next_group(bad_rows, lines[-1]))
            next_bad_line = bad_rows[0].line if bad_rows else math.inf
            end = int(np.searchsorted(lines, next_bad_line))
            if end > start:
                self._publish(trades[start:end], names[start:end])
            self._commit_if_due()
            start = end

    def _publish(self, trades: pl.DataFrame, names: pl.Series) -> None:
        self._tally.health.beat()
        values = to_json(trades, names)
        keys = [symbol.encode() for symbol in trades["symbol"]]
        messages = [{"key": key, "value": value} for key, value in zip(keys, values, strict=True)]
        queued = self._transactions.producer.produce_batch(TRADES_TOPIC, messages)
        if queued < len(messages):
            raise KafkaException(next(message["_error"] for message in messages if "_error" in message))
        self._transactions.producer.poll(0)
        self._pending.trades += len(values)
        self._pending.line = max(self._pending.line, int(trades["line"][-1]))
        EVENT_LAG_S.labels("producer").set(time.time() - trades["ts_event"][-1] / 1e9)

    def _publish_bad_rows(self, rows: list[BadRow]) -> None:
        for row in rows:
            publish_refused_row(
                self._transactions.producer, "producer", row.error, row.raw, row.file, row.line
            )
            self._pending.bad_rows += 1
            self._pending.bad_bytes += len(row.raw)
            self._pending.line = row.line
            self._bad_rows_shown += 1
            if self._bad_rows_shown <= SHOWN_BAD_ROWS:
                self._log.warning("bad row", line=row.line, error=row.error[:300])
            elif self._bad_rows_shown == SHOWN_BAD_ROWS + 1:
                self._log.warning("more bad rows follow; all are in the topic dead-letters")
        self._transactions.producer.poll(0)

    def _begin(self) -> None:
        self._transactions.begin()
        self._pending = _Pending(line=self._progress.line, began_s=time.monotonic())

    def _commit_if_due(self, within_s: float = 0.0) -> None:
        """Commit if the transaction is large, or would be old in so many seconds."""
        pending = self._pending
        age_s = time.monotonic() - pending.began_s
        is_old = age_s + within_s >= COMMIT_S
        if pending.line == self._progress.line:
            if is_old:  # nothing in it: only keep it young
                pending.began_s = time.monotonic()
        elif (
            is_old
            or pending.trades + pending.bad_rows >= COMMIT_ROWS
            or pending.bad_bytes >= COMMIT_BAD_BYTES
        ):
            self._commit(complete=False)
            self._begin()

    def _commit(self, complete: bool) -> None:
        """Commit the open transaction with the progress that it makes."""
        pending = self._pending
        progress = Progress(
            file=self._source.path.name,
            line=pending.line,
            trades=self._progress.trades + pending.trades,
            bad_rows=self._progress.bad_rows + pending.bad_rows,
            complete=complete,
            owner=self._owner,
        )
        self._transactions.producer.produce(
            PROGRESS_TOPIC, key=self._key.encode(), value=msgspec.json.encode(progress)
        )
        began_s = time.monotonic()
        self._transactions.commit()
        COMMIT_SECONDS.labels("producer").observe(time.monotonic() - began_s)
        self._progress = progress
        self._tally.add(pending.trades, pending.bad_rows)
        self._tally.health.beat()

    def _check_owner(self) -> None:
        """After having been fenced: end if another process took over; else the transaction was just too old.

        Raises
        ------
        TapewatchError
            Another one did.
        """
        self._stop.wait(TAKEOVER_S)
        stored = load_progress(self._kafka, self._key, self._stop)
        if stored is not None and stored.owner != self._owner and not self._stop.requested:
            raise TapewatchError(
                f"Another producer took over {self._source.path.name} and goes on from here.",
                "Nothing needs to be done: one producer for a file is enough.",
            )


def _next_group(bad_rows: deque[BadRow], before_line: float) -> list[BadRow]:
    """Take the next bad rows before a line, as many as are published in a moment."""
    group: list[BadRow] = []
    bytes_left = COMMIT_BAD_BYTES
    while bad_rows and bad_rows[0].line < before_line and len(group) < MAX_SLICE_TRADES and bytes_left > 0:
        group.append(bad_rows.popleft())
        bytes_left -= len(group[-1].raw)
    return group
