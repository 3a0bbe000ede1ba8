"""One member of a consumer group: it gets partitions, reads them, hands them over, or loses them.

What is done with the records, and what must be finished before partitions are handed over, is up to the
service: see `PartitionWork`. The states are drawn in docs/delivery.md.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from enum import StrEnum
from typing import Protocol

import structlog
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, Message, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets, Partition
from services.common.kafka.membership import GroupCheck, MembershipWatch, Standing, check_membership
from services.common.kafka.offsets import Positions
from services.common.kafka.records import Record
from services.common.kafka.stalls import StallWatch
from services.common.observability.counters import REJOINS
from services.common.observability.health import Health
from services.common.process.background import in_background, is_done
from services.common.process.readiness import ThrottledWarning
from services.common.process.shutdown import Stop

CLOSE_S = 1.5
TRY_AGAIN_S = 0.5


class State(StrEnum):
    """State of a member."""

    UNASSIGNED = "unassigned"
    """Has no partitions: it is joining, or the group is rebalancing."""
    STANDBY = "standby"
    """Has no partitions, as the group has more members than partitions."""
    RESTORING = "restoring"
    """Has partitions, and is finding out where to resume; nothing is fetched."""
    LIVE = "live"
    """Has partitions and reads them."""


class NotRestoredError(Exception):
    """Where partitions resume cannot be found out now, for another reason than the broker."""


class PartitionWork(Protocol):
    """What a service does when partitions are assigned or taken; all calls are in the reading thread."""

    def restore(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Find out where partitions resume.

        Parameters
        ----------
        partitions
            All that this member has now, in order; their offsets are meaningless.

        Returns
        -------
        list
            The same, with the offsets to read from.

        Raises
        ------
        KafkaException
            The broker does not answer; it is asked again a moment later.
        NotRestoredError
            Something else is not there yet; the group is listened to before the next try.
        """

    def started(self, seconds: float) -> None:
        """Note that the partitions are read from now on, and how long restoring took."""

    def revoke(self) -> None:
        """Finish and commit what was read: the partitions are this member's until this returns."""

    def lose(self) -> None:
        """Drop what is not committed: others may have resumed from the last commit."""


class ConsumerLoop:
    """A member of a consumer group.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    group
        The group's id.
    topics
        Topics that it reads.
    service
        Name of the service, for messages and metrics.
    work
        What is done when partitions come and go.
    stop
        Ends the work.
    health
        Gets signs of life from the loop, and whether it has partitions.
    config
        Returns librdkafka settings in addition to those of `new_consumer`; called for each new client.

    Attributes
    ----------
    state
        This member's state.
    positions
        How far it has read; a new object after each restore.
    consumer
        Its client; a new one after it had to join again.
    """

    def __init__(
        self,
        kafka: KafkaConnection,
        group: str,
        topics: list[str],
        service: str,
        work: PartitionWork,
        stop: Stop,
        health: Health,
        config: Callable[[], Mapping[str, object]],
    ) -> None:
        self._log = structlog.get_logger()
        self._kafka = kafka
        self._group = group
        self._topics = topics
        self._service = service
        self._work = work
        self._stop = stop
        self._health = health
        self._config = config
        self.admin = new_admin(kafka)
        self.ends = EndOffsets(kafka)
        self.state = State.UNASSIGNED
        self.positions = Positions()
        self._assigned: list[TopicPartition] = []
        self._handed_over = 0
        """How often partitions were handed over; everything read before that must be forgotten."""
        self._aside: list[Message] = []
        """Messages that arrived while the partitions were paused."""
        self._is_closed = False
        self._watch = MembershipWatch(self._check, service, group, health)
        self._stalls = StallWatch(self._ask_for_ends)
        self._stall_ends = EndOffsets(kafka)
        """Of a thread of its own."""
        self._join()

    def run(self, turn: Callable[[], bool], until_idle_s: float | None) -> None:
        """Run until a stop, or until the end has been reached and nothing new has come for a while.

        Parameters
        ----------
        turn
            Reads and processes a batch, and returns whether there was anything to do.
        until_idle_s
            Return after so long at the end, in seconds; None for never.
        """
        busy_at_s = time.monotonic()
        while not self._stop.requested:
            self._health.beat()
            is_busy = turn()
            if is_busy or until_idle_s is None or not self.positions.at_end(self.consumer, self.ends):
                busy_at_s = time.monotonic()
            elif time.monotonic() - busy_at_s >= until_idle_s:
                break
        self._health.ready, self._health.detail = False, "stopping"

    def read(self, most: int, timeout_s: float, *, as_they_come: bool = False) -> list[Record]:
        """Return the next records, after restoring partitions that are new; rebalances take place in here.

        Parameters
        ----------
        most
            Maximum number of records, in addition to those that arrived while the partitions were paused.
        timeout_s
            How long to wait for that many.
        as_they_come
            Wait for the first one alone, and return what there is by then.

        Raises
        ------
        TapewatchError
            The broker no longer lets this member read.
        """
        if self.state is State.RESTORING:
            # First what the group has decided meanwhile: it may have taken these partitions away.
            self.consumer.assign([])
            self._split(self._consume(1, 0.0))
        if self.state is State.RESTORING:
            self._restore()
        if self.state is State.RESTORING:  # a stop came before, or it cannot be found out yet
            return []
        began_s = time.monotonic()
        messages = self._consume(most, timeout_s, as_they_come=as_they_come)
        waited_s = time.monotonic() - began_s
        messages, self._aside = self._aside + messages, []
        records = self._split(messages)
        self._watch_membership()
        if self.state is State.LIVE and (stalled := self._stalls.turn(waited_s, self.positions.next_offsets)):
            self._leave_stalled(stalled)
            return []
        return records

    def listen(self, timeout_s: float) -> None:
        """Take part in rebalances while the partitions are paused; what arrives is kept for `read`."""
        self._aside += self._consume(1, timeout_s)
        self._watch_membership()

    @property
    def is_settled(self) -> bool:
        """Whether it has its partitions, or needs none."""
        return self.state in (State.LIVE, State.STANDBY)

    @property
    def has_aside(self) -> bool:
        """Whether messages arrived while the partitions were paused."""
        return bool(self._aside)

    def pause(self) -> None:
        """Fetch nothing more until `resume`; what was read ahead is dropped."""
        self.consumer.pause(self.consumer.assignment())

    def resume(self) -> None:
        """Fetch again after `pause`."""
        self.consumer.resume(self.consumer.assignment())

    def restore_again(self) -> None:
        """Restore the partitions again with the next `read`, as their state is no longer known."""
        self._aside.clear()
        self.positions = Positions()
        self._stalls.settle()
        if self.state is State.LIVE:
            self.state = State.RESTORING

    def close(self) -> None:
        """Leave the group, so that others take over at once, unless the broker does not answer in time."""
        self._is_closed = True  # what is not committed by now is left to the next run
        if not is_done(in_background(self.consumer.close), CLOSE_S):
            self._log.warning("timed out while leaving the consumer group")
        in_background(self.ends.close)
        in_background(self._stall_ends.close)

    def _join(self) -> None:
        """Become a member of the group, with a client of its own."""
        self.consumer: Consumer = new_consumer(self._kafka, self._group, **self._config())
        self.consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _consume(self, most: int, timeout_s: float, *, as_they_come: bool = False) -> list[Message]:
        """Return messages of partitions that are still this member's, and errors."""
        handed_over = self._handed_over
        consumer = self.consumer
        messages = consumer.consume(1 if as_they_come else most, timeout_s)
        if as_they_come and messages and most > 1:
            messages += consumer.consume(most - 1, 0.0)
        if self._handed_over == handed_over:
            return messages
        ours = {(partition.topic, partition.partition) for partition in self.consumer.assignment()}
        return [m for m in messages if _is_error(m) or (m.topic(), m.partition()) in ours]

    def _split(self, messages: list[Message]) -> list[Record]:
        try:
            return self.positions.split(messages)
        except KafkaException as error:
            raise TapewatchError(
                f"Kafka ended this {self._service}'s membership: {error.args[0].str()}.",
                "Check the broker's log and this user's permissions.",
            ) from error

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self.consumer or self._is_closed:  # one that was left
            return
        # The offsets to read from are looked up later: a broker may fail to answer in between.
        self._assigned = sorted(partitions, key=lambda place: (place.topic, place.partition))
        self._aside.clear()
        self.positions = Positions()
        self.state = State.RESTORING
        consumer.assign([])

    def _on_revoke(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        if consumer is not self.consumer or self._is_closed:
            return
        self._work.revoke()
        self._hand_over()

    def _on_lost(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        if consumer is not self.consumer or self._is_closed:
            return
        self._log.warning("partitions lost: the broker was unavailable, or assigned them to other members")
        self._work.lose()
        self._hand_over()

    def _hand_over(self) -> None:
        self._health.ready, self._health.detail = False, "partitions"
        self._handed_over += 1
        self._assigned = []
        self._aside.clear()
        self.positions = Positions()
        self.state = State.UNASSIGNED
        self._watch.settle()
        self._stalls.settle()

    def _restore(self) -> None:
        """Find out where each partition resumes, however long the broker takes to answer."""
        waiting = ThrottledWarning(f"Kafka at {self._kafka}")
        began_s = time.monotonic()
        while not self._stop.requested:
            self._health.beat()
            try:
                starts = self._work.restore(self._assigned)
                break
            except KafkaException as error:
                waiting.note(error)
                self._stop.wait(TRY_AGAIN_S)
            except NotRestoredError:
                self._stop.wait(TRY_AGAIN_S)
                return
        if self._stop.requested:
            return
        self.positions = Positions()
        self.consumer.assign(starts)
        # Those that were taken away while paused stay paused for librdkafka, however often they are assigned.
        self.consumer.resume(starts)
        self.state = State.LIVE if starts else State.STANDBY
        self._watch.settle()
        self._health.ready = True
        self._work.started(time.monotonic() - began_s)

    def _watch_membership(self) -> None:
        """Join again, with a new client, if this member should have partitions or be a standby by now."""
        if self.state not in (State.UNASSIGNED, State.STANDBY):
            return
        standing = self._watch.turn(self.consumer.memberid() or "")
        if standing is Standing.STANDBY:
            self.state = State.STANDBY
            self._health.ready = not self._stop.requested
        elif standing is not None:
            self.state = State.UNASSIGNED
            self._health.ready = False
            self._join_again()

    def _join_again(self) -> None:
        left = self.consumer
        self._join()
        in_background(left.close)

    def _leave_stalled(self, partitions: list[Partition]) -> None:
        """Give all partitions up, and join again with a new client."""
        self._log.warning(
            "partitions have messages that this client does not get; joining the group again with a new one",
            partitions=[f"{topic}/{number}" for topic, number in partitions],
        )
        REJOINS.labels(self._service).inc()
        self._work.lose()
        self._hand_over()
        self._join_again()

    def _ask_for_ends(self) -> Future[dict[Partition, int]]:
        return in_background(self._stall_ends.ask, self._assigned, IsolationLevel.READ_COMMITTED)

    def _check(self, member_id: str, is_probing: bool) -> Future[GroupCheck]:
        arguments = (self._kafka, self._group, self._topics[0], member_id, is_probing)
        return in_background(check_membership, self.admin, *arguments)


def _is_error(message: Message) -> bool:
    """Tell whether a message reports an error other than a partition's end."""
    error = message.error()
    return error is not None and error.code() != KafkaError._PARTITION_EOF
