"""Commits offsets during the work: one commit at a time, each repeated until the broker has accepted it."""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.common.observability.counters import COMMIT_SECONDS
from services.common.process.readiness import ThrottledWarning
from services.indexer.batch import Offsets
from services.indexer.letters import Letters

COMMIT_EVERY_S = 0.5
TRY_AGAIN_S = 1.0


class OffsetCommitter:
    """The offsets to commit, and how far that has come.

    The client's own waiting for an answer cannot be interrupted while the broker is away, so no call waits;
    as there is one commit at a time, a later one cannot be overtaken by an earlier one.

    Parameters
    ----------
    letters
        The dead letters; nothing is committed before they are safe.
    where
        The broker, for the log.
    service
        The process's name, for its metrics.
    """

    def __init__(self, letters: Letters, where: str, service: str) -> None:
        self._commit_time = COMMIT_SECONDS.labels(service)
        self._letters = letters
        self._where = where
        self._requested: Offsets = {}
        self._committed: Offsets = {}
        self._unanswered = 0
        self._sent_at_s = self._next_s = 0.0
        self._waiting: ThrottledWarning | None = None

    def request(self, offsets: Offsets) -> None:
        """Commit these next."""
        self._requested |= offsets

    def forget(self) -> None:
        """Commit nothing of what was requested: all partitions were handed over."""
        self._requested.clear()
        self._committed.clear()

    @property
    def is_complete(self) -> bool:
        """Whether all that was requested is committed."""
        return not self._left()

    def poll(self, consumer: Consumer) -> None:
        """Commit what is left, unless a commit is in flight, or was answered a moment ago."""
        if not self._unanswered and time.monotonic() >= self._next_s:
            self.send(consumer)

    def send(self, consumer: Consumer) -> None:
        """Commit what is left.

        Raises
        ------
        TapewatchError
            A dead letter was rejected.
        """
        left = self._left()
        if not left or not self._letters.are_safe(0):
            return
        offsets = [TopicPartition(*partition, offset) for partition, offset in left.items()]
        try:
            consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._fail(error.args[0])
        else:
            self._unanswered += 1
            self._sent_at_s = time.monotonic()

    def on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Take the broker's answer; the client calls this while it consumes."""
        self._unanswered -= 1
        error = error or next((p.error for p in partitions if p.error is not None), None)
        if error is not None:
            self._fail(error)
            return
        self._commit_time.observe(time.monotonic() - self._sent_at_s)
        self._next_s = self._sent_at_s + COMMIT_EVERY_S
        self._waiting = None
        for partition in partitions:
            key = (partition.topic, partition.partition)
            if key in self._requested:  # else it was handed over
                self._committed[key] = partition.offset

    def _left(self) -> Offsets:
        return {key: offset for key, offset in self._requested.items() if offset != self._committed.get(key)}

    def _fail(self, error: KafkaError) -> None:
        """Try again later.

        Either the broker is away, or the partitions went to another instance, which sends the documents again
        from the last commit on, and of which the consumer will tell.
        """
        self._next_s = time.monotonic() + TRY_AGAIN_S
        self._waiting = self._waiting or ThrottledWarning(f"{self._where} to commit offsets")
        self._waiting.note(KafkaException(error))
