"""One member of a consumer group: gets partitions, reads them, hands them back, loses them, gets them again.

What is done with the records, and what has to be finished before partitions go, is the service's own: see
`PartitionWork`. The states are drawn in docs/delivery.md.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from enum import StrEnum
from typing import Protocol

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin, new_consumer
from services.common.kafka.membership import MembershipWatch, Sight, Standing, look
from services.common.kafka.offsets import Positions
from services.common.kafka.records import Record
from services.common.observability.health import Health
from services.common.process.background import in_background, is_done
from services.common.process.readiness import WaitingLog
from services.common.process.shutdown import Stop

CLOSE_S = 1.5
TRY_AGAIN_S = 0.5


class State(StrEnum):
    """Where a member stands."""

    UNASSIGNED = "unassigned"
    """Has no partitions: it is joining, or the group is rebalancing."""
    STANDBY = "standby"
    """Has no partitions, as the group has more members than partitions."""
    RESTORING = "restoring"
    """Has partitions, and is finding out where they go on; nothing is fetched."""
    LIVE = "live"
    """Has partitions and reads them."""


class PartitionWork(Protocol):
    """What a service does when partitions come and go; all calls come in the thread that reads."""

    def restore(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Find out where partitions go on.

        Parameters
        ----------
        partitions
            All that this member has now, in order; their offsets say nothing.

        Returns
        -------
        list
            The same, with the offsets to read from.

        Raises
        ------
        KafkaException
            The broker does not answer; it is asked again a moment later.
        """

    def started(self, seconds: float) -> None:
        """Hear that the partitions are read from now on, and how long the restoring took."""

    def revoke(self) -> None:
        """Finish and commit what was read: the partitions are this member's until this returns."""

    def lose(self) -> None:
        """Drop what is not committed: others may have gone on from the last commit."""


class ConsumerLoop:
    """A member of a consumer group.

    Parameters
    ----------
    bootstrap
        Where Kafka is.
    group
        The group's id.
    topics
        What it reads.
    service
        Name of the service, for messages and metrics.
    work
        What is done when partitions come and go.
    stop
        Ends the work.
    health
        Told that the work goes on, and whether there are partitions.
    config
        Gives librdkafka's own settings beside those of `new_consumer`; called for each new client.

    Attributes
    ----------
    state
        Where this member stands.
    positions
        How far it has read; another object after each restoring.
    consumer
        Its client; another one after it had to join again.
    """

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: list[str],
        service: str,
        work: PartitionWork,
        stop: Stop,
        health: Health,
        config: Callable[[], Mapping[str, object]],
    ) -> None:
        self._log = structlog.get_logger()
        self._bootstrap = bootstrap
        self._group = group
        self._topics = topics
        self._service = service
        self._work = work
        self._stop = stop
        self._health = health
        self._config = config
        self.admin = new_admin(bootstrap)
        self.state = State.UNASSIGNED
        self.positions = Positions()
        self._assigned: list[TopicPartition] = []
        self._handed_over = 0
        """How often partitions were; what was read before is then to be forgotten."""
        self._aside: list[Message] = []
        """What came while the partitions were paused."""
        self._is_closed = False
        self._watch = MembershipWatch(self._look, service, group, health)
        self._join()

    def run(self, turn: Callable[[], bool], until_idle_s: float | None) -> None:
        """Work until a stop, or until the end has been reached and nothing came for a while.

        Parameters
        ----------
        turn
            Reads and works off a batch, and returns whether there was anything to do.
        until_idle_s
            Return after having been at the end for that long, in seconds; None for never.
        """
        busy_at_s = time.monotonic()
        while not self._stop.requested:
            self._health.beat()
            is_busy = turn()
            if is_busy or until_idle_s is None or not self.positions.at_end(self.consumer, self.admin):
                busy_at_s = time.monotonic()
            elif time.monotonic() - busy_at_s >= until_idle_s:
                break
        self._health.ready, self._health.detail = False, "stopping"

    def read(self, most: int, timeout_s: float) -> list[Record]:
        """Return the next records, after restoring partitions that are new; rebalances take place in here.

        Parameters
        ----------
        most
            How many records at most, beside those that came while the partitions were paused.
        timeout_s
            How long to wait for so many.

        Raises
        ------
        TapewatchError
            The broker refuses for good to let this member read.
        """
        if self.state is State.RESTORING:
            # What the group has decided meanwhile comes first: without these partitions all below is in vain.
            self.consumer.assign([])
            self._split(self._consume(1, 0.0))
        if self.state is State.RESTORING:
            self._restore()
        if self.state is State.RESTORING:  # a stop came before
            return []
        messages = self._consume(most, timeout_s)
        messages, self._aside = self._aside + messages, []
        records = self._split(messages)
        self._watch_membership()
        return records

    def listen(self, timeout_s: float) -> None:
        """Take part in rebalances while the partitions are paused; what comes is put aside for `read`."""
        self._aside += self._consume(1, timeout_s)
        self._watch_membership()

    @property
    def is_settled(self) -> bool:
        """Whether it has its partitions, or needs none."""
        return self.state in (State.LIVE, State.STANDBY)

    @property
    def has_aside(self) -> bool:
        """Whether something came while the partitions were paused."""
        return bool(self._aside)

    def pause(self) -> None:
        """Fetch nothing more until `resume`; what was read ahead is dropped."""
        self.consumer.pause(self.consumer.assignment())

    def resume(self) -> None:
        """Go on after `pause`."""
        self.consumer.resume(self.consumer.assignment())

    def restore_again(self) -> None:
        """Restore the partitions once more with the next `read`, as nothing is known of them any more."""
        self._aside.clear()
        self.positions = Positions()
        if self.state is State.LIVE:
            self.state = State.RESTORING

    def close(self) -> None:
        """Leave the group, so that others take over at once, unless the broker does not let go."""
        self._is_closed = True  # what is not committed by now is left to the next start
        if not is_done(in_background(self.consumer.close), CLOSE_S):
            self._log.warning("the broker does not answer the closing")

    def _join(self) -> None:
        """Become a member of the group, with a client of its own."""
        self.consumer: Consumer = new_consumer(self._bootstrap, self._group, **self._config())
        self.consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _consume(self, most: int, timeout_s: float) -> list[Message]:
        """Return messages of partitions that are still this member's, and errors."""
        handed_over = self._handed_over
        messages = self.consumer.consume(most, timeout_s)
        if self._handed_over == handed_over:
            return messages
        ours = {(partition.topic, partition.partition) for partition in self.consumer.assignment()}
        return [m for m in messages if _is_trouble(m) or (m.topic(), m.partition()) in ours]

    def _split(self, messages: list[Message]) -> list[Record]:
        try:
            return self.positions.split(messages)
        except KafkaException as error:
            raise TapewatchError(
                f"Kafka ended this {self._service}'s membership: {error.args[0].str()}.",
                "Look at the broker's log and at this user's rights.",
            ) from error

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self.consumer or self._is_closed:  # one that was left
            return
        # What is to be read from where is found out later: a broker may fail to answer in between.
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
        self._log.warning("partitions lost: the broker was away, or gave them to others")
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

    def _restore(self) -> None:
        """Find out where each partition goes on, however long the broker takes to answer."""
        waiting = WaitingLog(f"Kafka at {self._bootstrap}")
        began_s = time.monotonic()
        while not self._stop.requested:
            self._health.beat()
            try:
                starts = self._work.restore(self._assigned)
                break
            except KafkaException as error:
                waiting.note(error)
                self._stop.wait(TRY_AGAIN_S)
        if self._stop.requested:
            return
        self.positions = Positions()
        self.consumer.assign(starts)
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
            left = self.consumer
            self._join()
            in_background(left.close)

    def _look(self, member_id: str, is_probing: bool) -> Future[Sight]:
        arguments = (self._bootstrap, self._group, self._topics[0], member_id, is_probing)
        return in_background(look, self.admin, *arguments)


def _is_trouble(message: Message) -> bool:
    """Tell whether a message reports an error, and no partition's end."""
    error = message.error()
    return error is not None and error.code() != KafkaError._PARTITION_EOF
