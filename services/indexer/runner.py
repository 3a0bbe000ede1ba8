"""Reads, has a sink write, and commits; survives servers that go away and partitions that move.

Offsets are committed in the order of the batches, each after its acknowledgement, so a restart can only send
again what is already there under the same ids. A store that keeps the offsets itself has them earlier, with
the batch.
"""

import time
from collections import Counter
from collections.abc import Callable

import structlog
from confluent_kafka import Producer, TopicPartition

from services.common.config.settings import Settings
from services.common.kafka.clients import new_producer
from services.common.kafka.connection import kafka_connection
from services.common.kafka.consumer_loop import ConsumerLoop
from services.common.kafka.lag import Lag
from services.common.kafka.records import Record
from services.common.observability.health import Health
from services.common.process.instance import claim_instance
from services.common.process.shutdown import Stop
from services.contracts.components import Component
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC
from services.indexer.batch import Batch, Offsets
from services.indexer.inflight import InFlight
from services.indexer.keeping.base import OffsetKeeper
from services.indexer.keeping.in_kafka import KeptInKafka
from services.indexer.keeping.in_store import KeptInStore
from services.indexer.letters import Letters
from services.indexer.metrics import Tally
from services.indexer.offset_committer import OffsetCommitter
from services.indexer.sinks.base import (
    IdempotentSink,
    RejectedRecordError,
    Sink,
    StoppedError,
    TransactionalSink,
)

POLL_S = 0.05
LOADED_RECORDS = 1_000
"""A read that returns as many has more behind it: a full batch, beside those in flight, is faster then."""

PATIENCE_S = 2.0
"""While a batch takes longer than this, the partitions are paused, which drops records read ahead."""

SILENT_S = 5.0
"""A sink that owes an answer for longer than this is said to be waited for."""

REVOKE_S = 3.0
"""How long a rebalance waits for batches in flight."""


class Runner:
    """One instance of the indexer.

    Parameters
    ----------
    settings
        Address of Kafka, and optionally this instance's name.
    component
        Name of this process, and its consumer group.
    sink
        The sink, ready to write.
    stop
        Ends the work.
    health
        Gets signs of life from the main loop.
    """

    def __init__(
        self,
        settings: Settings,
        component: Component,
        sink: Sink,
        stop: Stop,
        health: Health,
    ) -> None:
        self._log = structlog.get_logger()
        self._stop = stop
        self._health = health
        self._component = component
        self._service = component.service
        self._sink = sink
        self._kafka = kafka_connection(settings)
        self._client_id = f"{self._service}-{claim_instance(self._service, settings)}"
        # No time limit for delivery: a broker that goes away is waited for.
        self._producer: Producer = new_producer(self._kafka, **{"message.timeout.ms": 0})
        self._tally = Tally(self._service)
        self._letters = Letters(self._producer, self._service, self._tally, stop, health)
        self._keeper = self._keeper_of(sink)
        self._batch = Batch()
        self._in_flight = InFlight(self._keeper, sink.connections)
        self._is_waiting = False
        self._handed_over = 0
        """How often partitions were handed over; everything read before that must be forgotten."""
        self._loop = ConsumerLoop(
            self._kafka,
            component.group,
            list(sink.topics),
            self._service,
            self,
            stop,
            health,
            self._client_config,
        )
        self._lag = Lag(self._service, self._loop, list(sink.topics))

    def _keeper_of(self, sink: Sink) -> OffsetKeeper:
        """Return what keeps the offsets of a sink."""
        if isinstance(sink, TransactionalSink):
            return KeptInStore(sink, self._letters, self._kafka, self._stop)
        if isinstance(sink, IdempotentSink):
            return KeptInKafka(sink, self._letters)
        raise TypeError(f"{type(sink).__name__} is of no kind of sink")

    def run(self, until_idle_s: float | None) -> None:
        """Work; see `run_index`."""
        try:
            self._loop.run(self._turn, until_idle_s)
            self._dispatch(dict(self._loop.positions.next_offsets))
            self._stay_until(lambda: not self._in_flight)
            self._request_all_that_was_read()
            self._finish_commits()
        except StoppedError:
            self._log.warning("stopped before everything was committed; the next run sends the rest again")
        self._log.info(
            "indexed",
            documents=self._tally.indexed,
            retractions=self._tally.retractions,
            dead_letters=self._tally.dead_letters,
        )

    def _client_config(self) -> dict[str, object]:
        """Give each client an account of its own commits: an answer for one that was left never comes."""
        self._commits = OffsetCommitter(self._letters, f"Kafka at {self._kafka}", self._service)
        return {
            "client.id": self._client_id,
            # All partitions go at once at a rebalance, so all that was read goes with them.
            "partition.assignment.strategy": "range,roundrobin",
            "on_commit": self._commits.on_commit,
        }

    def close(self) -> None:
        """Leave the group; what is not committed by now is sent again at the next start."""
        self._forget()
        self._loop.close()

    def _turn(self) -> bool:
        """Read, gather, send and settle once; returns whether there was anything to do."""
        records = self._loop.read(max(1, self._batch.room), POLL_S)
        self._gather(records)
        self._settle()
        is_loaded = len(records) >= LOADED_RECORDS
        if self._batch.is_due or (self._batch and not (is_loaded or self._in_flight)):
            self._dispatch(dict(self._loop.positions.next_offsets))
        # Also if no batch waits behind the one that it owes an answer for.
        self._note_waiting(self._in_flight.unanswered_s >= SILENT_S)
        is_idle = not (records or self._batch or self._in_flight or self._loop.has_aside)
        if is_idle:
            self._request_all_that_was_read()
        self._commits.poll(self._loop.consumer)
        self._lag.update(self._unanswered)
        return not (is_idle and self._commits.is_complete)

    def _request_all_that_was_read(self) -> None:
        """Have all committed, messages that became dead letters at the end included, if all is answered."""
        if not (self._batch or self._in_flight.has_owned):
            self._commits.request(self._loop.positions.next_offsets)

    def _unanswered(self) -> Counter[str]:
        """Count what was read and is not acknowledged by the sink yet, by topic."""
        return self._in_flight.count() + Counter(record.topic() for record in self._batch.records)

    def _gather(self, records: list[Record]) -> None:
        """Add records to the batch; it goes when it is full, or before one about a target that it has."""
        handed_over = self._handed_over
        prepare = self._sink.prepare
        for record in records:
            try:
                entry = prepare(record)
            except RejectedRecordError as error:
                self._keeper.reject(self._batch, record, str(error))
                continue
            if not self._batch.add(record, entry):
                self._dispatch(self._batch.offsets)
                if self._handed_over != handed_over:
                    return
                self._batch.add(record, entry)

    def _dispatch(self, offsets: Offsets) -> None:
        """Send what was gathered, as soon as it may go; `offsets` are to be committed when it has arrived."""
        # A rebalance meanwhile leaves an empty batch.
        self._stay_until(lambda: not self._batch or self._in_flight.accepts(self._batch))
        if self._batch:
            self._in_flight.send(self._batch, offsets)
            self._batch = Batch()

    def _stay_until(self, is_so: Callable[[], bool]) -> None:
        """Wait until answers from the sink have made a condition true, and process the answers.

        If that takes long, the partitions are paused, so that memory stays bounded while this instance keeps
        polling and so remains a member of its group.

        Raises
        ------
        StoppedError
            If the grace period of a stop has expired.
        """
        began_s = time.monotonic()
        is_paused = False
        self._settle()
        while not is_so():
            self._in_flight.wait(0 if is_paused else POLL_S)
            self._settle()
            if self._stop.grace_expired:
                raise StoppedError
            self._health.beat()
            if time.monotonic() - began_s >= PATIENCE_S:
                if not is_paused:
                    self._loop.pause()
                is_paused = True
                self._note_waiting(True)
                self._loop.listen(POLL_S)
                self._lag.update(self._unanswered, is_paused=True)
        if is_paused:
            self._loop.resume()
            self._note_waiting(False)

    def _settle(self) -> None:
        """Have the batches committed that have arrived, oldest first."""
        while self._in_flight.oldest_is_done:
            acknowledged = self._in_flight.take_oldest()
            if acknowledged is None:
                continue
            for record, reason in acknowledged.rejected:
                self._keeper.settle(record, reason)
            self._tally.add(acknowledged.written, acknowledged.removed)
            last = acknowledged.last
            if last and last.topic() in (TRADES_TOPIC, ANOMALIES_TOPIC):  # others are about other times
                self._tally.note_event(last.value() or b"")
            self._commits.request(acknowledged.offsets)
        self._commits.poll(self._loop.consumer)

    def _note_waiting(self, is_waiting: bool) -> None:
        """Be not ready while the sink is waited for."""
        if is_waiting:
            self._health.ready, self._health.detail = False, f"waiting for {self._sink.title}"
        elif self._is_waiting:
            self._health.ready = self._loop.is_settled and not self._stop.requested
        self._is_waiting = is_waiting

    def _finish_commits(self) -> None:
        self._loop.pause()
        while not self._commits.is_complete:
            if self._stop.grace_expired:
                raise StoppedError
            self._health.beat()
            self._commits.poll(self._loop.consumer)
            self._loop.listen(POLL_S)

    def restore(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Resume after the offsets that are kept, or at the topic's current beginning."""
        starts = self._keeper.starts(self._loop.consumer, partitions)
        return [start.at(start.offset) for start in starts]

    def started(self, seconds: float) -> None:
        """Say what was assigned."""
        partitions = sorted(f"{p.topic}/{p.partition}" for p in self._loop.consumer.assignment())
        self._log.info("assigned", partitions=partitions, seconds=round(seconds, 2))

    def revoke(self) -> None:
        """Finish what is in flight, so that its offsets are committed while they are still ours."""
        deadline_s = time.monotonic() + REVOKE_S
        self._settle()
        while self._in_flight.has_owned and time.monotonic() < deadline_s and not self._stop.grace_expired:
            self._in_flight.wait(POLL_S)
            self._settle()
        # Its answer would come too late, but it arrives before this instance asks for new partitions.
        self._letters.are_safe(max(0.0, deadline_s - time.monotonic()))
        if not self._loop.has_aside:
            self._request_all_that_was_read()
        self._commits.send(self._loop.consumer)
        self._forget()

    def lose(self) -> None:
        """Forget what is in flight: the new owner of the partitions sends it again."""
        self._forget()

    def _forget(self) -> None:
        """Drop all that was read and not committed; the next owner of the partitions reads it again."""
        self._handed_over += 1
        self._batch = Batch()
        self._in_flight.abandon()
        self._commits.forget()
