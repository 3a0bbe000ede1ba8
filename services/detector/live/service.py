"""`tapewatch detect`: the topic `trades` through the engine into the topic `anomalies`.

Each partition has an engine of its own. A transaction holds, in this order: the anomalies and dead letters
of some batches, the checkpoints whose turn it is, and the offsets behind those batches. What is committed is
therefore always of one moment. A partition that was just assigned begins with its checkpoints and replays,
without publishing, up to the committed offset: so the state is the same as if this process had always been
here. After an aborted transaction every partition begins in that way again.
"""

import datetime as dt
import time

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin, new_consumer
from services.common.kafka.dead_letters import publish_refused_message
from services.common.kafka.offsets import Positions
from services.common.kafka.preflight import check_topics, wait_for_safe_topics
from services.common.kafka.transactions import StoppedWaitingError, TransactionAbortedError, Transactions
from services.common.observability.counters import (
    ABORTS,
    COMMIT_SECONDS,
    DEAD_LETTERS,
    EVENT_LAG_S,
    LAG_MESSAGES,
)
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.observability.rates import Rate
from services.common.process.background import in_background, is_done
from services.common.process.gc import search_seldom
from services.common.process.instance import claim_instance
from services.common.process.readiness import WaitingLog
from services.common.process.shutdown import Stop
from services.contracts.anomaly import anomaly_json
from services.contracts.components import DETECTOR
from services.contracts.topics import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC, DEAD_LETTERS_TOPIC, TRADES_TOPIC
from services.detector.live import metrics
from services.detector.live.checkpoint import PARTITION_KEY
from services.detector.live.partition import Detected, WatchedPartition
from services.detector.live.recovery import is_as_left, load, recover
from services.detector.live.reset import reset
from services.detector.live.retraction import TRADE_OFFSET, publish_retraction, standing_anomalies
from services.detector.live.settings import DetectorSettings
from services.detector.profiles.profile import Profile, load_profile

TOPICS = [TRADES_TOPIC, ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC, CHECKPOINTS_TOPIC]
MAX_BATCH_TRADES = 10_000
POLL_S = 0.1
COMMIT_S = 0.25
"""While batches are full, a transaction goes on for so long; a batch that is not full ends it at once."""

RETRACTIONS_AT_ONCE = 5_000
CLOSE_S = 1.5


def run_detect(
    settings: DetectorSettings, profile_name: str | None, until_idle_s: float | None, begin_anew: bool
) -> int:
    """Detect until stopped, or until the end has been reached and nothing came for a while.

    Parameters
    ----------
    settings
        Where Kafka is.
    profile_name
        What counts as unusual.
    until_idle_s
        Exit after having been at the end for that long; None for never.
    begin_anew
        First put all partitions back to their beginning; see `reset`.

    Returns
    -------
    int
        Exit code; a stop is a success, but before a reset was done.

    Raises
    ------
    TapewatchError
        The profile is wrong, a topic is missing or unsafe, or another detector has this one's name.
    """
    search_seldom()
    stop = Stop()
    profile = load_profile(profile_name)
    health = Health()
    with serve_metrics(DETECTOR, settings, health):
        if not wait_for_safe_topics(settings.kafka, TOPICS, stop, health):
            return 0
        instance = claim_instance("detector", settings)
        try:
            transactions = Transactions(
                settings.kafka, f"{DETECTOR.group}-{instance}", stop, health.beat, **{"linger.ms": 0}
            )
            if begin_anew and not reset(settings, profile, transactions, stop):
                return 128 + (stop.signal or 0)
            service = DetectorService(settings, profile, instance, transactions, stop, health)
            try:
                service.run(until_idle_s)
            finally:
                service.close()
        except StoppedWaitingError:
            structlog.get_logger().warning(
                "stopped while Kafka was away; the next start goes on after the last commit"
            )
    return 0


class DetectorService:
    """One instance of the detector.

    Parameters
    ----------
    settings
        Where Kafka is.
    profile
        What counts as unusual.
    instance
        This instance's name.
    transactions
        Opened under that name.
    stop
        Ends the work.
    health
        Told how it goes.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        profile: Profile,
        instance: str,
        transactions: Transactions,
        stop: Stop,
        health: Health,
    ) -> None:
        self._log = structlog.get_logger()
        self._settings = settings
        self._profile = profile
        self._transactions = transactions
        self._stop = stop
        self._health = health
        self._admin = new_admin(settings.kafka)
        self._consumer: Consumer = new_consumer(
            settings.kafka,
            DETECTOR.group,
            **{"client.id": f"detector-{instance}"},
        )
        self._assigned: set[int] = set()
        self._is_restored = True
        self._partitions: dict[int, WatchedPartition] = {}
        self._handed_over: dict[int, WatchedPartition] = {}
        self._committed: dict[int, int] = {}
        self._positions = Positions()
        self._open_since_s: float | None = None
        self._uncounted: list[Detected] = []
        self._recovering_since_s: float | None = None
        self._rate = Rate(metrics.PER_SECOND)
        self._trades = self._anomalies = self._dead_letters = self._late_trades = 0

    def run(self, until_idle_s: float | None) -> None:
        """Work; see `run_detect`."""
        self._consumer.subscribe(
            [TRADES_TOPIC], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        busy_at_s = time.monotonic()
        while not self._stop.requested:
            self._health.beat()
            try:
                is_busy = self._turn()
            except TransactionAbortedError as error:
                self._start_over(error)
                is_busy = True
            if is_busy or until_idle_s is None or not self._positions.at_end(self._consumer, self._admin):
                busy_at_s = time.monotonic()
            elif time.monotonic() - busy_at_s >= until_idle_s:
                break
        self._health.ready, self._health.detail = False, "stopping"
        try:
            self._commit()
        except TransactionAbortedError as error:
            self._log.warning(
                "the last transaction was aborted; the next start does it again", error=str(error)
            )
        self._log.info(
            "detected",
            trades=self._trades,
            anomalies=self._anomalies,
            dead_letters=self._dead_letters,
            late_trades=self._late_trades,
        )

    def close(self) -> None:
        """Leave the group, so that others take over at once, unless the broker does not let go."""
        self._open_since_s = None  # what is not committed by now is left to the next start
        if not is_done(in_background(self._consumer.close), CLOSE_S):
            self._log.warning("the broker does not answer the closing")

    def _turn(self) -> bool:
        """Read and work off one batch; returns whether there was anything to do."""
        if not self._is_restored:
            # What the group has decided meanwhile comes first: without these partitions all below is in vain.
            self._consumer.assign([])
            self._read(1, 0.0)
        if not self._is_restored:
            self._restore()
        if not self._is_restored:  # a stop came before
            return False
        messages, records = self._read(MAX_BATCH_TRADES, POLL_S)
        began_s = time.monotonic()
        try:
            self._process(records)
        except KafkaException as error:
            self._transactions.fail(error)
        is_full = len(messages) >= MAX_BATCH_TRADES
        if self._open_since_s is None:
            if not self._uncommitted():
                return bool(records)
            self._begin()
        if not is_full or time.monotonic() - min(began_s, self._open_since_s or began_s) >= COMMIT_S:
            self._commit()
        return True

    def _read(self, most: int, timeout_s: float) -> tuple[list[Message], list[Message]]:
        """Return what the consumer has, and which of it are records; rebalances take place in here."""
        try:
            messages = self._consumer.consume(most, timeout_s)
            return messages, self._positions.split(messages)
        except KafkaException as error:
            raise TapewatchError(
                f"Kafka ended this detector's membership: {error.args[0].str()}.",
                "Look at the broker's log and at this user's rights.",
            ) from error

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # What is to be read from where is found out later: a broker may fail to answer in between.
        self._assigned = {partition.partition for partition in partitions}
        self._is_restored = False
        consumer.assign([])

    def _on_revoke(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        """Commit while the partitions are still this detector's."""
        try:
            self._commit()
        except TransactionAbortedError as error:
            self._start_over(error)
        self._hand_over()

    def _on_lost(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        """Give up what is not committed: others have gone on from the last commit."""
        self._log.warning("partitions lost: the broker was away, or gave them to others")
        if self._open_since_s is not None:
            try:
                self._transactions.abort("partitions lost")
            except TransactionAbortedError as error:
                self._start_over(error)
        self._partitions.clear()
        self._hand_over()

    def _hand_over(self) -> None:
        """Work on nothing, but keep what is known, in case a partition comes back as it went."""
        self._health.ready, self._health.detail = False, "waiting for partitions"
        self._handed_over |= self._partitions
        self._partitions = {}
        self._assigned = set()
        self._is_restored = True
        self._positions = Positions()
        self._committed.clear()

    def _start_over(self, error: TransactionAbortedError) -> None:
        """After an abort: position and state are read again from what was committed."""
        ABORTS.labels("detector").inc()
        self._log.warning("transaction aborted, reading position and state again", error=str(error))
        self._open_since_s = None
        self._uncounted.clear()
        self._partitions.clear()
        self._handed_over.clear()
        self._committed.clear()
        self._positions = Positions()
        self._is_restored = False
        if error.fenced:
            self._transactions.open()

    def _restore(self) -> None:
        """Find out where each assigned partition goes on, and with which state."""
        waiting = WaitingLog(f"Kafka at {self._settings.kafka}")
        began_s = time.monotonic()
        while not self._stop.requested:
            self._health.beat()
            try:
                starts = self._recovered_positions()
                break
            except KafkaException as error:
                waiting.note(error)
                self._stop.wait(0.5)
        if self._stop.requested:
            return
        self._positions = Positions()
        self._consumer.assign(starts)
        self._is_restored = True
        self._recovering_since_s = began_s
        self._health.ready = True
        self._log.info(
            "assigned",
            partitions=sorted(self._assigned),
            to_replay=sum(max(p.publish_from - p.position, 0) for p in self._partitions.values()),
            seconds=round(time.monotonic() - began_s, 2),
        )

    def _recovered_positions(self) -> list[TopicPartition]:
        """Recover the partitions, keeping those on which nobody else has worked meanwhile."""
        if not self._assigned:
            return []
        kafka = self._settings.kafka
        wanted = [TopicPartition(TRADES_TOPIC, number) for number in sorted(self._assigned)]
        # Partitions that were added to one topic alone have no checkpoints to be read.
        check_topics(self._admin, TOPICS)
        # Offsets before checkpoints: this call waits for a transaction that is just ending, so they fit.
        all_committed = self._consumer.committed(wanted, timeout=REQUEST_TIMEOUT_S)
        stored = load(kafka, sorted(self._assigned), self._stop)
        self._partitions = {}
        starts = []
        for committed in all_committed:
            number = committed.partition
            beginning = self._beginning(committed)
            offset = max(committed.offset, beginning)
            partition = self._handed_over.get(number)
            if partition is None or not is_as_left(partition, stored[number], offset):
                recovered = recover(stored[number], number, offset, beginning, self._profile)
                partition = WatchedPartition(recovered, self._profile.hash, self._settings.checkpoint_trades)
                if recovered.retract_until is not None and not self._stop.requested:
                    self._retract(number, partition, committed, beginning, recovered.retract_until)
            self._partitions[number] = partition
            self._committed[number] = offset
            starts.append(TopicPartition(TRADES_TOPIC, number, partition.position))
        self._handed_over = {}
        return starts

    def _beginning(self, committed: TopicPartition) -> int:
        """Return the first offset that a partition still has."""
        partition = TopicPartition(TRADES_TOPIC, committed.partition)
        beginning, _ = self._consumer.get_watermark_offsets(partition, REQUEST_TIMEOUT_S)
        if 0 <= committed.offset < beginning:
            self._log.error(
                "trades were removed by the topic's retention before they were scored",
                partition=committed.partition,
                messages=beginning - committed.offset,
            )
        return beginning

    def _retract(
        self,
        number: int,
        partition: WatchedPartition,
        committed: TopicPartition,
        beginning: int,
        until: int,
    ) -> None:
        """Withdraw a partition's anomalies of the run before, before this run's first one.

        Each transaction carries the unchanged offset: so one of a detector that has lost the partition
        cannot come after what its successor published.
        """
        standing = list(standing_anomalies(self._settings.kafka, number, until, beginning, self._stop))
        for first in range(0, len(standing) + 1, RETRACTIONS_AT_ONCE):
            if self._stop.requested:
                return
            self._begin()
            part = standing[first : first + RETRACTIONS_AT_ONCE]
            is_last = first + RETRACTIONS_AT_ONCE > len(standing)
            try:
                for anomaly in part:
                    publish_retraction(self._transactions.producer, number, *anomaly)
                if is_last:
                    self._produce_checkpoint(number, PARTITION_KEY, partition.partition_checkpoint())
            except KafkaException as error:
                self._transactions.fail(error)
            self._transactions.commit([committed], self._consumer.consumer_group_metadata())
            self._open_since_s = None
            metrics.RETRACTIONS.inc(len(part))
        self._log.info("anomalies of the run before withdrawn", partition=number, anomalies=len(standing))

    def _uncommitted(self) -> list[TopicPartition]:
        """Return the positions that are beyond the committed offsets."""
        return [
            offset
            for offset in self._positions.as_offsets()
            if offset.offset > self._committed.get(offset.partition, offset.offset)
        ]

    def _process(self, records: list[Message]) -> None:
        """Run messages through their partitions' engines, and publish what they come to."""
        by_partition: dict[int, list[Message]] = {}
        for record in records:
            by_partition.setdefault(record.partition(), []).append(record)
        for number, messages in by_partition.items():
            partition = self._partitions.get(number)
            if partition is None:  # handed away while the batch was gathered
                continue
            found = partition.detect(messages)
            if found.anomalies or found.refused or not partition.is_replaying:
                self._begin()
            self._publish(number, found)
            self._uncounted.append(found)
        for number, partition in self._partitions.items():
            # Behind its last record a partition ends with a transaction's marker.
            reached = self._positions.next_offsets.get((TRADES_TOPIC, number), 0)
            partition.position = max(partition.position, reached)
        if self._recovering_since_s is not None and not any(
            partition.is_replaying for partition in self._partitions.values()
        ):
            metrics.RECOVERY_SECONDS.set(time.monotonic() - self._recovering_since_s)
            self._recovering_since_s = None

    def _publish(self, number: int, found: Detected) -> None:
        producer = self._transactions.producer
        now = dt.datetime.now(dt.UTC)
        for origin, anomaly in found.anomalies:
            try:
                value = anomaly_json(origin.value(), anomaly, now)
            # JSON to the decoder alone, or nested too deeply: the indexer refuses it, with a letter.
            except (ValueError, TypeError) as error:
                self._log.warning("anomaly of a trade that cannot be written as JSON", error=str(error))
                continue
            producer.produce(
                ANOMALIES_TOPIC,
                key=origin.key(),
                value=value,
                headers={TRADE_OFFSET: str(origin.offset())},
                partition=number,
            )
        for origin, error in found.refused:
            publish_refused_message(producer, "detector", error, origin)

    def _begin(self) -> None:
        """Begin a transaction unless one is open."""
        if self._open_since_s is None:
            self._transactions.begin()
            self._open_since_s = time.monotonic()

    def _commit(self) -> None:
        """Commit the open transaction, with checkpoints and offsets."""
        if self._open_since_s is None:
            return
        sizes_bytes = [0]
        saved_bytes = 0
        try:
            for number, partition in self._partitions.items():
                for key, value in partition.checkpoints():
                    self._produce_checkpoint(number, key, value)
                    saved_bytes += len(value or b"")
                    if value is not None and key != PARTITION_KEY:
                        sizes_bytes.append(len(value))
        except KafkaException as error:
            self._transactions.fail(error)
        offsets = self._uncommitted()
        # Offsets even if they are the same: only with them does the broker look whether this detector still
        # has the partitions, and one that has slept must not write over its successor's checkpoints.
        fence = offsets or [TopicPartition(TRADES_TOPIC, *item) for item in self._committed.items()]
        began_s = time.monotonic()
        self._transactions.commit(fence, self._consumer.consumer_group_metadata())
        COMMIT_SECONDS.labels("detector").observe(time.monotonic() - began_s)
        self._open_since_s = None
        for offset in offsets:
            self._committed[offset.partition] = offset.offset
            self._partitions[offset.partition].position = offset.offset
        metrics.CHECKPOINT_BYTES.inc(saved_bytes)
        metrics.CHECKPOINTS.inc(len(sizes_bytes) - 1)
        if max(sizes_bytes):
            metrics.CHECKPOINT_SIZE.set(max(sizes_bytes))
        self._count()

    def _produce_checkpoint(self, number: int, key: bytes, value: bytes | None) -> None:
        self._transactions.producer.produce(CHECKPOINTS_TOPIC, key=key, value=value, partition=number)

    def _count(self) -> None:
        """Count what was committed."""
        for found in self._uncounted:
            self._trades += found.trades
            self._anomalies += len(found.anomalies)
            self._dead_letters += len(found.refused)
            self._late_trades += found.late_trades
            metrics.TRADES.inc(found.trades)
            metrics.LATE_TRADES.inc(found.late_trades)
            metrics.REPLAYED.inc(found.replayed)
            DEAD_LETTERS.labels("detector").inc(len(found.refused))
            self._rate.add(found.trades)
            for _, anomaly in found.anomalies:
                for label in anomaly.anomalies:
                    metrics.ANOMALIES.labels(label, anomaly.severity).inc()
            if found.newest_event_time:
                newest = dt.datetime.fromisoformat(found.newest_event_time[:26].rstrip("Z") + "+00:00")
                EVENT_LAG_S.labels("detector").set(time.time() - newest.timestamp())
        self._uncounted.clear()
        lag = 0
        for number, partition in self._partitions.items():
            _, end = self._consumer.get_watermark_offsets(TopicPartition(TRADES_TOPIC, number), cached=True)
            lag += max(end - partition.position, 0)
            metrics.CHECKPOINT_AGE.labels(str(number)).set(partition.position - partition.replay_from)
        LAG_MESSAGES.labels("detector", TRADES_TOPIC).set(lag)
