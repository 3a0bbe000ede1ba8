"""The detector's output: anomalies, dead letters, checkpoints and offsets become visible together."""

import datetime as dt
import time

import structlog
from confluent_kafka import KafkaException, TopicPartition

from services.common.kafka.dead_letters import publish_rejected_message
from services.common.kafka.transactions import GroupMetadata, Transactions
from services.common.observability.counters import COMMIT_SECONDS
from services.contracts.anomaly import TRADE_OFFSET, anomaly_json
from services.contracts.components import DETECTOR
from services.contracts.topics import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC
from services.detector.live.partition import Detected
from services.detector.live.retraction import StandingAnomaly, publish_retraction


class Outbox:
    """Publishes in one transaction after another; each method may raise `TransactionAbortedError`.

    Parameters
    ----------
    transactions
        Opened under the detector's name.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._log = structlog.get_logger()
        self._transactions = transactions
        self.open_since_s: float | None = None
        """Start of the open transaction, by `time.monotonic`; None without one."""

    def begin(self) -> None:
        """Begin a transaction unless one is open."""
        if self.open_since_s is None:
            self._transactions.begin()
            self.open_since_s = time.monotonic()

    def publish(self, number: int, found: Detected) -> None:
        """Publish the results of a partition's batch to the partition of the same number."""
        producer = self._transactions.producer
        now = dt.datetime.now(dt.UTC)
        try:
            for origin, anomaly in found.anomalies:
                try:
                    value = anomaly_json(origin.value() or b"", anomaly, now)
                # JSON only to the decoder, or nested too deeply; the indexer rejects it with a dead letter.
                except (ValueError, TypeError) as error:
                    self._log.warning(
                        "anomaly skipped: its trade cannot be written as JSON", error=str(error)
                    )
                    continue
                producer.produce(
                    ANOMALIES_TOPIC,
                    key=origin.key(),
                    value=value,
                    headers={TRADE_OFFSET: str(origin.offset())},
                    partition=number,
                )
            for origin, reason in found.rejected:
                publish_rejected_message(producer, DETECTOR.service, reason, origin)
        except KafkaException as failure:
            self._transactions.fail(failure)

    def save(self, number: int, key: bytes, value: bytes | None) -> None:
        """Write one of a partition's checkpoints; None removes it."""
        try:
            self._transactions.producer.produce(CHECKPOINTS_TOPIC, key=key, value=value, partition=number)
        except KafkaException as failure:
            self._transactions.fail(failure)

    def withdraw(self, number: int, anomalies: list[StandingAnomaly]) -> None:
        """Withdraw anomalies of a partition."""
        try:
            for anomaly in anomalies:
                publish_retraction(self._transactions.producer, number, *anomaly)
        except KafkaException as failure:
            self._transactions.fail(failure)

    def commit(self, fence: list[TopicPartition], group: GroupMetadata) -> None:
        """Commit what was published since `begin`.

        Parameters
        ----------
        fence
            Offsets to commit, even if unchanged: only with them does the broker check that this detector
            still owns the partitions, and a stalled one must not overwrite its successor's checkpoints.
        group
            This detector's group membership.
        """
        began_s = time.monotonic()
        self._transactions.commit(fence, group)
        COMMIT_SECONDS.labels(DETECTOR.service).observe(time.monotonic() - began_s)
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
