"""What a service writes becomes visible together with the offsets that it has worked off."""

import time

from confluent_kafka import KafkaException, TopicPartition

from services.common.kafka.transactions import GroupMetadata, Transactions
from services.common.observability.counters import COMMIT_SECONDS


class Outbox:
    """Publishes in one transaction after another; each method may raise `TransactionAbortedError`.

    Parameters
    ----------
    transactions
        Opened under the instance's name.
    service
        The service's name, for metrics.
    """

    def __init__(self, transactions: Transactions, service: str) -> None:
        self._transactions = transactions
        self._commit_seconds = COMMIT_SECONDS.labels(service)
        self.open_since_s: float | None = None
        """Start of the open transaction, by `time.monotonic`; None without one."""

    def begin(self) -> None:
        """Begin a transaction unless one is open."""
        if self.open_since_s is None:
            self._transactions.begin()
            self.open_since_s = time.monotonic()

    def save(self, topic: str, number: int, key: bytes, value: bytes | None) -> None:
        """Write one of a partition's checkpoints; None removes it."""
        try:
            self._transactions.producer.produce(topic, key=key, value=value, partition=number)
        except KafkaException as failure:
            self._transactions.fail(failure)

    def commit(self, fence: list[TopicPartition], group: GroupMetadata) -> None:
        """Commit what was published since `begin`.

        Parameters
        ----------
        fence
            Offsets to commit, even if unchanged: only with them does the broker check that this instance
            still owns the partitions, and a stalled one must not overwrite its successor's checkpoints.
        group
            This instance's group membership.
        """
        began_s = time.monotonic()
        self._transactions.commit(fence, group)
        self._commit_seconds.observe(time.monotonic() - began_s)
        self.open_since_s = None

    def abort(self, reason: str) -> None:
        """Abort the open transaction, if there is one."""
        if self.open_since_s is not None:
            self._transactions.abort(reason)

    def discard(self) -> None:
        """Forget the open transaction, which was aborted or will time out."""
        self.open_since_s = None

    def reopen(self) -> None:
        """Register the transactional id again, after a fence or a transaction timeout."""
        self._transactions.open()
