"""Publishes one file exactly once: its rows and its progress in the same transactions.

1. Become the one producer of this content (its transactional id): an older one is fenced.
2. Read the file's progress, and commit it anew under this process's name.
3. Publish rows; every `COMMIT_TRADES` or `COMMIT_S` commit them together with the last line's number.
4. With the last rows, commit that the file is complete.

After an abort, whatever the reason, go back to 1.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import polars as pl
import structlog
from confluent_kafka import KafkaException

from services.common.contracts import PROGRESS_TOPIC, TRADES_TOPIC
from services.common.counters import ABORTS, COMMIT_SECONDS, EVENT_LAG_S
from services.common.dead_letters import publish_refused_row
from services.common.errors import TapewatchError
from services.common.stops import Stop
from services.common.transactions import TransactionAbortedError, Transactions
from services.producer.metrics import Tally
from services.producer.pacing import Clock, slices
from services.producer.progress import Progress, content_hash, load_progress
from services.producer.rows import BadRow, Source
from services.producer.trade_ids import TradeIds
from services.producer.trade_json import to_json

COMMIT_TRADES = 50_000
"""Transactions of so many trades cost nothing; of 5,000, more than half of the speed."""

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
        Ends the work between two slices; what was handed to Kafka is committed.
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
        self._transactions = Transactions(kafka, f"tapewatch-producer-{self._key[:32]}", stop)
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
            names = ids.name(chunk.trades)  # of all, as an ordinal counts those before
            is_new = chunk.trades["line"] > done_line
            trades, names = chunk.trades.filter(is_new), names.filter(is_new)
            bad_rows = iter([row for row in chunk.bad_rows if row.line > done_line])
            later_bad_row = next(bad_rows, None)
            for piece in self._due_slices(trades, speed, clock):
                part = trades[piece]
                later_bad_row = self._publish_bad_rows(later_bad_row, bad_rows, int(part["line"][-1]))
                self._publish(part, names[piece])
                show(position_bytes + (chunk.position_bytes - position_bytes) * piece.stop / len(trades))
                self._commit_if_due()
                if self._finished:
                    break
            if self._finished:
                break
            self._publish_bad_rows(later_bad_row, bad_rows, None)
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
        self._commit_if_due(within_s=seconds)
        self._stop.wait(seconds)

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
        self._pending.line = int(trades["line"][-1])
        EVENT_LAG_S.labels("producer").set(time.time() - trades["ts_event"][-1] / 1e9)

    def _publish_bad_rows(
        self, row: BadRow | None, rest: Iterator[BadRow], up_to_line: int | None
    ) -> BadRow | None:
        """Publish bad rows up to a line; returns the first one behind it."""
        while row is not None and (up_to_line is None or row.line < up_to_line):
            publish_refused_row(
                self._transactions.producer, "producer", row.error, row.raw, row.file, row.line
            )
            self._pending.bad_rows += 1
            self._pending.line = row.line
            self._bad_rows_shown += 1
            if self._bad_rows_shown <= SHOWN_BAD_ROWS:
                self._log.warning("bad row", line=row.line, error=row.error[:300])
            elif self._bad_rows_shown == SHOWN_BAD_ROWS + 1:
                self._log.warning("more bad rows follow; all are in the topic dead-letters")
            row = next(rest, None)
        return row

    def _begin(self) -> None:
        self._transactions.begin()
        self._pending = _Pending(line=self._progress.line, began_s=time.monotonic())

    def _commit_if_due(self, within_s: float = 0.0) -> None:
        """Commit if the transaction is large, or would be old in so many seconds."""
        age_s = time.monotonic() - self._pending.began_s
        if self._pending.line == self._progress.line:
            if age_s + within_s >= COMMIT_S:  # nothing in it: only keep it young
                self._pending.began_s = time.monotonic()
        elif self._pending.trades >= COMMIT_TRADES or age_s + within_s >= COMMIT_S:
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
