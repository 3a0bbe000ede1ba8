"""Reads, has a sink write, and commits; survives servers that go away and partitions that move.

Offsets are committed in the order of the batches, each after its acknowledgement, so a restart can only send
again what is already there under the same ids.
"""

import math
import time
from collections import Counter
from collections.abc import Callable

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin, new_consumer, new_producer
from services.common.kafka.dead_letters import publish_refused_message
from services.common.kafka.offsets import Positions
from services.common.kafka.records import Record
from services.common.observability.health import Health
from services.common.process.background import in_background, is_done
from services.common.process.instance import claim_instance
from services.common.process.shutdown import Stop
from services.contracts.components import Component
from services.indexer.batch import Batch, Offsets
from services.indexer.inflight import InFlight
from services.indexer.metrics import Lag, Tally
from services.indexer.offset_committer import OffsetCommitter
from services.indexer.sinks.base import RejectedRecordError, Sink, StoppedError

POLL_S = 0.05
PATIENCE_S = 2.0
"""A batch that takes longer is waited for with the partitions paused, which drops what was read ahead."""

REVOKE_S = 3.0
"""So long a rebalance waits for what is in flight."""

CLOSE_S = 1.5
SAY_REJECTED_EVERY_S = 1.0
"""All are in the topic `dead-letters`; the log names one of them now and then, and counts them."""
SESSION_TIMEOUT_MS = 10_000
"""An instance that comes back within that time gets its partitions back at once."""

JOIN_AGAIN_AFTER_S = 60.0
"""A membership that ends earlier is taken by another."""

_MEMBERSHIP_ENDED = {KafkaError._FATAL, KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID}


class Runner:
    """One instance of the indexer.

    Parameters
    ----------
    settings
        Where Kafka is, and perhaps this instance's name.
    component
        What this process is called, and its group.
    sink
        Ready to write.
    stop
        Ends the work.
    health
        Told that the work goes on.
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
        self._kafka = settings.kafka
        self._component = component
        self._service = component.service
        self._sink = sink
        self._instance = claim_instance(self._service, settings)
        self._admin = new_admin(settings.kafka)
        # No time limit for delivery: a broker that goes away is waited for.
        self._producer: Producer = new_producer(settings.kafka, **{"message.timeout.ms": 0})
        self._positions = Positions()
        self._tally = Tally(self._service)
        self._batch = Batch()
        self._in_flight = InFlight(sink)
        self._aside: list[Message] = []
        """What came while a batch was waited for."""
        self._handed_away = 0
        """How often partitions were; what was read before is then to be forgotten."""
        self._joined_again_s = self._say_rejected_s = -math.inf
        self._rejected_unsaid = 0
        self._join()

    def run(self, until_idle_s: float | None) -> None:
        """Work; see `run_index`."""
        try:
            self._work(until_idle_s)
            self._health.ready, self._health.detail = False, "stopping"
            self._dispatch(dict(self._positions.next_offsets))
            self._stay_until(lambda: not self._in_flight)
            self._request_all_that_was_read()
            self._finish_commits()
        except StoppedError:
            self._log.warning("stopped before all was committed; the rest is sent again at the next start")
        self._log.info(
            "indexed",
            documents=self._tally.indexed,
            retractions=self._tally.retractions,
            dead_letters=self._tally.dead_letters,
        )

    def _join(self) -> None:
        """Become a member of the group, with a client of its own."""
        self._commits = commits = OffsetCommitter(self._producer, f"Kafka at {self._kafka}", self._service)
        self._consumer: Consumer = new_consumer(
            self._kafka,
            self._component.group,
            **{
                "group.instance.id": f"{self._service}-{self._instance}",
                "session.timeout.ms": SESSION_TIMEOUT_MS,
                # All partitions go at once at a rebalance, so all that was read goes with them.
                "partition.assignment.strategy": "range,roundrobin",
                "on_commit": commits.on_commit,
            },
        )
        self._lag = Lag(self._service, self._consumer, self._positions, self._admin)
        self._consumer.subscribe(
            list(self._sink.topics),
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _join_again(self, cause: KafkaException) -> None:
        """Join anew after the client gave up its membership.

        That happens when another has this one's name; but also after the broker was away, when a commit from
        before comes late: the broker cannot tell it from one by another.

        Raises
        ------
        TapewatchError
            It happened twice in a row, or is none of the two.
        """
        error = cause.args[0]
        if not error.fatal() and error.code() not in _MEMBERSHIP_ENDED:
            raise TapewatchError(
                f"Kafka refuses to let this indexer read: {error.str()}.",
                "Check the broker's log and this user's rights.",
            ) from cause
        if time.monotonic() - self._joined_again_s < JOIN_AGAIN_AFTER_S:
            raise TapewatchError(
                f"Kafka keeps taking the name {self._instance} from this indexer: {error.str()}.",
                "Does another indexer run under this name? Give each its own TAPEWATCH_INSTANCE.",
            ) from cause
        self._log.warning("joining the group again", reason=error.str())
        self._joined_again_s = time.monotonic()
        left = self._consumer
        self._forget(self._positions.as_offsets())
        self._join()
        in_background(left.close)

    def close(self) -> None:
        """Give the consumer back; leave it to the process's end if the broker does not let go of it."""
        self._forget(self._consumer.assignment())
        if not is_done(in_background(self._consumer.close), CLOSE_S):
            self._log.warning("the broker does not answer the closing")

    def _work(self, until_idle_s: float | None) -> None:
        busy_at_s = time.monotonic()
        while not self._stop.requested:
            self._health.beat()
            records = self._read()
            self._gather(records)
            if self._batch.is_due:
                self._dispatch(dict(self._positions.next_offsets))
            self._settle()
            is_idle = not (records or self._batch.entries or self._in_flight or self._aside)
            if is_idle:
                self._request_all_that_was_read()
            self._commits.poll(self._consumer)
            self._lag.update(self._unanswered)
            if not (is_idle and self._commits.is_complete and self._is_at_end(until_idle_s)):
                busy_at_s = time.monotonic()
            elif until_idle_s is not None and time.monotonic() - busy_at_s >= until_idle_s:
                break

    def _request_all_that_was_read(self) -> None:
        """Have all committed, messages that became dead letters at the end included, if all is answered."""
        if not (self._batch.entries or self._in_flight.has_owned):
            self._commits.request(self._positions.next_offsets)

    def _unanswered(self) -> Counter[str]:
        """Count what was read and is not acknowledged by the sink yet, by topic."""
        return self._in_flight.count() + Counter(record.topic() for record in self._batch.records)

    def _is_at_end(self, until_idle_s: float | None) -> bool:
        """Ask the broker whether there is nothing more, if that matters."""
        return until_idle_s is None or self._positions.at_end(self._consumer, self._admin)

    def _read(self) -> list[Record]:
        """Return records, at most as many as the batch takes and what was put aside."""
        messages = self._consume(max(1, self._batch.room))
        messages, self._aside = self._aside + messages, []
        records = self._split(messages)
        if len(records) < len(messages):
            self._lag.note_ends(messages)
        return records

    def _consume(self, most: int) -> list[Message]:
        handed_away = self._handed_away
        messages = self._consumer.consume(most, POLL_S)
        if self._handed_away == handed_away:
            return messages
        ours = {(partition.topic, partition.partition) for partition in self._consumer.assignment()}
        return [m for m in messages if m.error() is not None or (m.topic(), m.partition()) in ours]

    def _split(self, messages: list[Message]) -> list[Record]:
        try:
            return self._positions.split(messages)
        except KafkaException as error:
            self._join_again(error)
            return []

    def _gather(self, records: list[Record]) -> None:
        """Add records to the batch; it goes when it is full, or before one about a target that it has."""
        handed_away = self._handed_away
        prepare = self._sink.prepare
        for record in records:
            try:
                entry = prepare(record)
            except RejectedRecordError as error:
                self._reject(record, str(error))
                continue
            if not self._batch.add(record, entry):
                self._dispatch(self._batch.offsets)
                if self._handed_away != handed_away:
                    return
                self._batch.add(record, entry)

    def _dispatch(self, offsets: Offsets) -> None:
        """Send what was gathered, as soon as it may go; `offsets` are to be committed when it has arrived."""
        # A rebalance meanwhile leaves an empty batch.
        self._stay_until(lambda: not self._batch.entries or self._in_flight.accepts(self._batch))
        if self._batch.entries:
            self._in_flight.send(self._batch, offsets)
            self._batch = Batch()

    def _stay_until(self, is_so: Callable[[], bool]) -> None:
        """Stay until answers from the sink have made something so, and settle what has arrived.

        If that takes long the partitions are paused, so that memory stays bounded, and the group is told
        that this instance is alive.

        Raises
        ------
        StoppedError
            A stop has waited long enough.
        """
        began_s = time.monotonic()
        is_paused = False
        self._settle()
        while not is_so():
            self._in_flight.wait(0 if is_paused else POLL_S)
            self._settle()
            if self._stop.overdue:
                raise StoppedError
            self._health.beat()
            if time.monotonic() - began_s >= PATIENCE_S:
                if not is_paused or self._aside:  # a rebalance gives partitions that are not paused
                    self._consumer.pause(self._consumer.assignment())
                is_paused = True
                self._health.ready, self._health.detail = False, f"waiting for {self._sink.title}"
                self._listen()
                self._lag.update(self._unanswered, is_paused=True)
        if is_paused:
            self._consumer.resume(self._consumer.assignment())
            self._health.ready = bool(self._consumer.assignment()) and not self._stop.requested

    def _listen(self) -> None:
        """Take part in rebalances; what comes meanwhile is put aside."""
        for message in self._consume(1):
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                self._aside.append(message)
            else:
                self._split([message])

    def _settle(self) -> None:
        """Have the batches committed that have arrived, oldest first."""
        while self._in_flight.oldest_is_done:
            acknowledged = self._in_flight.take_oldest()
            if acknowledged is None:
                continue
            for record, reason in acknowledged.rejected:
                self._reject(record, reason)
            self._tally.add(acknowledged.written, acknowledged.removed)
            self._tally.note_event(acknowledged.last.value() or b"")
            self._commits.request(acknowledged.offsets)
        self._commits.poll(self._consumer)

    def _finish_commits(self) -> None:
        self._consumer.pause(self._consumer.assignment())
        while not self._commits.is_complete:
            if self._stop.overdue:
                raise StoppedError
            self._health.beat()
            self._commits.poll(self._consumer)
            self._listen()

    def _on_assign(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._health.ready = True
        self._log.info("assigned", partitions=sorted(f"{p.topic}/{p.partition}" for p in partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Finish what is in flight, so that its offsets are committed while they are still ours."""
        if consumer is not self._consumer:  # one that was left
            return
        deadline_s = time.monotonic() + REVOKE_S
        self._settle()
        while self._in_flight.has_owned and time.monotonic() < deadline_s and not self._stop.overdue:
            self._in_flight.wait(POLL_S)
            self._settle()
        # Its answer would come too late, but it arrives before this instance asks for new partitions.
        self._producer.flush(max(0.0, deadline_s - time.monotonic()))
        if not self._aside:
            self._request_all_that_was_read()
        self._commits.send(self._consumer)
        self._forget(partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        self._log.warning("partitions lost; what was in flight is sent again")
        self._forget(partitions)

    def _forget(self, partitions: list[TopicPartition]) -> None:
        """Drop all that was read and not committed; whoever gets the partitions reads it again."""
        self._health.ready, self._health.detail = False, "waiting for partitions"
        self._handed_away += 1
        self._batch = Batch()
        self._aside.clear()
        self._in_flight.abandon()
        self._positions.forget(partitions)
        self._commits.forget(partitions)

    def _reject(self, record: Record, reason: str) -> None:
        """Write a dead letter, whoever else may write one: whether others run is nothing to rely on."""
        publish_refused_message(self._producer, self._service, reason, record, self._delivered)
        self._tally.add_dead_letter()
        self._rejected_unsaid += 1
        if time.monotonic() >= self._say_rejected_s:
            self._log.warning(
                "dead letters",
                count=self._rejected_unsaid,
                topic=record.topic(),
                offset=record.offset(),
                error=reason[:300],
            )
            self._say_rejected_s = time.monotonic() + SAY_REJECTED_EVERY_S
            self._rejected_unsaid = 0

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        """Hear of a failed delivery; called within `Producer.flush`, so before anything is committed."""
        if error is not None:
            raise TapewatchError(
                f"Kafka did not take a dead letter: {error.str()}.", "Look at the broker, then start again."
            )
