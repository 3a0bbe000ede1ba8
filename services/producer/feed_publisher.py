"""Publishes a feed exactly once: what was read and the cursors behind it in the same transactions.

1. Become the only publisher of this feed (its transactional id): an older one is fenced. Only then connect.
2. Read how far the feed was published, and commit that under this process's name.
3. Publish each batch in a transaction of its own, with the places of its symbols, as soon as it is read.

A batch is kept until it is committed. After an abort it is published again, unless the feed's record shows
that the commit was done although its answer did not come.
"""

import time
import uuid

import msgspec
import structlog
from confluent_kafka import KafkaException

from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.dead_letters import publish_rejected_row
from services.common.kafka.transactions import StoppedWaitingError, TransactionAbortedError, Transactions
from services.common.observability.counters import ABORTS, COMMIT_SECONDS, EVENT_LAG_S
from services.common.process.shutdown import Stop
from services.contracts.components import FEED
from services.contracts.correction import encode_correction
from services.contracts.feed_event import encode_feed_event
from services.contracts.topics import CORRECTIONS_TOPIC, FEED_EVENTS_TOPIC, PROGRESS_TOPIC
from services.producer.feed_progress import (
    FeedProgress,
    FeedRecord,
    SymbolRecord,
    WaitingRecord,
    feed_key,
    load_feed_progress,
    symbol_key,
    waiting_key,
)
from services.producer.metrics import Tally
from services.producer.produce_trades import produce_trades
from services.producer.progress_records import TAKEOVER_S
from services.sources.feeds.handoff import Batch


class FeedPublisher:
    """Publishes a feed.

    Parameters
    ----------
    feed
        The feed's name.
    kafka
        Connection to Kafka.
    stop
        Ends the waiting for an unavailable broker.
    tally
        Counts what was committed.
    """

    def __init__(self, feed: str, kafka: KafkaConnection, stop: Stop, tally: Tally) -> None:
        self._feed = feed
        self._kafka = kafka
        self._stop = stop
        self._tally = tally
        self._log = structlog.get_logger().bind(venue=feed)
        self._owner = uuid.uuid4().hex
        self._owner_before = ""
        self._transaction = 0
        self._bad = 0
        name = f"tapewatch-feed-{feed}"
        self._transactions = Transactions(kafka, name, stop, tally.health.beat, **{"linger.ms": 0})

    def claim(self) -> FeedProgress | None:
        """Become the feed's publisher; returns how far it was published, None if a stop came first.

        Raises
        ------
        TapewatchError
            Another process publishes this feed.
        """
        progress = load_feed_progress(self._kafka, self._feed, self._stop)
        if progress is None:
            return None
        self._owner_before = progress.feed.owner
        self.publish(Batch(), progress.feed.entries)
        return progress

    def publish(self, batch: Batch, entries: int = 0) -> None:
        """Publish a batch; returns when it is committed.

        Parameters
        ----------
        batch
            The batch.
        entries
            Of a recorded session: how many entries it has come to.

        Raises
        ------
        TapewatchError
            Another process has taken this feed over.
        StoppedWaitingError
            A stop came while the broker was unavailable.
        """
        self._transaction += 1
        while True:
            try:
                self._try(batch, entries)
            except TransactionAbortedError as error:
                ABORTS.labels(FEED.service).inc()
                self._log.warning("transaction aborted, publishing it again", error=str(error))
                if error.fenced and self._was_committed():
                    break
            else:
                break
        self._tally.add(len(batch.prints), len(batch.bad))
        self._tally.health.beat()

    def _try(self, batch: Batch, entries: int) -> None:
        transactions = self._transactions
        transactions.begin()
        try:
            self._produce(batch, entries)
        except KafkaException as error:
            transactions.fail(error)
        except BufferError as error:  # the client's queue is full
            transactions.abort(str(error))
        began_s = time.monotonic()
        transactions.commit()
        COMMIT_SECONDS.labels(FEED.service).observe(time.monotonic() - began_s)

    def _produce(self, batch: Batch, entries: int) -> None:
        producer = self._transactions.producer
        if batch.prints:
            produce_trades(producer, ((one.symbol.encode(), one.value) for one in batch.prints))
            EVENT_LAG_S.labels(FEED.service).set(time.time() - batch.prints[-1].tape_ns / 1e9)
        for correction in batch.corrections:
            producer.produce(
                CORRECTIONS_TOPIC, key=correction.symbol.encode(), value=encode_correction(correction)
            )
        for event in batch.events:
            producer.produce(FEED_EVENTS_TOPIC, key=event.venue.encode(), value=encode_feed_event(event))
        for number, bad in enumerate(batch.bad, self._bad + 1):
            publish_rejected_row(producer, FEED.service, bad.reason, bad.raw, self._feed, number)
        self._bad += len(batch.bad)
        for symbol, place in batch.places.items():
            record = SymbolRecord(symbol, place)
            producer.produce(
                PROGRESS_TOPIC, key=symbol_key(self._feed, symbol), value=msgspec.json.encode(record)
            )
        if batch.waiting is not None:
            waiting = WaitingRecord(self._feed, batch.waiting)
            producer.produce(PROGRESS_TOPIC, key=waiting_key(self._feed), value=msgspec.json.encode(waiting))
        own = FeedRecord(self._feed, self._owner, self._transaction, entries)
        producer.produce(PROGRESS_TOPIC, key=feed_key(self._feed), value=msgspec.json.encode(own))
        producer.poll(0)

    def _was_committed(self) -> bool:
        """After having been fenced: open a new client, and tell whether the last transaction was committed.

        Raises
        ------
        TapewatchError
            Another process took over.
        StoppedWaitingError
            A stop came before that could be told.
        """
        self._stop.wait(TAKEOVER_S)
        self._check_owner()
        self._transactions.open()  # ends what is still open, so that the records are final
        return self._check_owner().transaction == self._transaction

    def _check_owner(self) -> FeedRecord:
        """Return the feed's record, which is this process's own or that of an earlier run.

        Raises
        ------
        TapewatchError
            It is another process's.
        StoppedWaitingError
            A stop came first, so it is not known whether the transaction was committed.
        """
        progress = load_feed_progress(self._kafka, self._feed, self._stop)
        if progress is None:
            raise StoppedWaitingError
        record = progress.feed
        if record.owner == self._owner:
            return record
        if record.owner != self._owner_before:
            raise TapewatchError(
                f"Another process publishes the feed {self._feed} now.",
                "One process for a feed is enough: give it all symbols, --symbols A,B.",
            )
        return FeedRecord(self._feed)
