"""`tapewatch detect`: the topic `trades` through the engine into the topic `anomalies`.

Each partition has an engine of its own. A transaction holds, in this order: the anomalies and dead letters
of some batches, the checkpoints that are due, and the offsets behind those batches. A commit is
therefore always consistent; the first one also holds the profile's text. A newly assigned partition starts
from its checkpoints and replays, without publishing, up to the committed offset: the state is then the same
as if this process had always worked on it. After an aborted transaction every partition is restored in the
same way.
"""

import time

import structlog
from confluent_kafka import TopicPartition

from services.common.kafka.connection import KafkaConnection, kafka_connection
from services.common.kafka.consumer_loop import ConsumerLoop
from services.common.kafka.lag import Lag
from services.common.kafka.offsets import Start, find_starts
from services.common.kafka.preflight import check_same_partitions, wait_for_safe_topics
from services.common.kafka.reading import newest_by_key
from services.common.kafka.records import Record
from services.common.kafka.transactions import StoppedWaitingError, TransactionAbortedError, Transactions
from services.common.observability.counters import ABORTS
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.process.instance import claim_instance
from services.common.process.memory import give_memory_back, tune_memory
from services.common.process.shutdown import Stop
from services.contracts.components import DETECTOR
from services.contracts.tape_clock import clock_metadata, read_clock
from services.contracts.topics import (
    ANOMALIES_TOPIC,
    CHECKPOINTS_TOPIC,
    DEAD_LETTERS_TOPIC,
    FEED_EVENTS_TOPIC,
    PROFILES_TOPIC,
    TRADES_TOPIC,
)
from services.detector.live import metrics
from services.detector.live.assignment import Assignment
from services.detector.live.checkpoint import PARTITION_KEY
from services.detector.live.homes import SymbolHomes
from services.detector.live.outbox import DetectorOutbox
from services.detector.live.partition import WatchedPartition
from services.detector.live.profile_message import profile_message
from services.detector.live.recovery import is_unchanged, recover
from services.detector.live.reset import reset
from services.detector.live.retraction import standing_anomalies
from services.detector.live.selftest.rounds import LiveSelftest, expected_hash
from services.detector.live.settings import DetectorSettings
from services.detector.live.watchdog import GroupOffsets, LiveWatchdog
from services.detector.profiles.profile import Profile, load_profile

TOPICS = [
    TRADES_TOPIC,
    ANOMALIES_TOPIC,
    DEAD_LETTERS_TOPIC,
    CHECKPOINTS_TOPIC,
    FEED_EVENTS_TOPIC,
    PROFILES_TOPIC,
]
MAX_BATCH_TRADES = 20_000
"""With a few symbols a trade costs the same from 2,000 to 40,000 (docs/performance.md)."""

POLL_S = 0.1
LOADED_TRADES = 1_000
COMMIT_S = 0.25
"""Length of a transaction while reads return `LOADED_TRADES` or more; a smaller one ends it at once."""

RETRACTIONS_AT_ONCE = 5_000


def run_detect(
    settings: DetectorSettings, profile_name: str | None, until_idle_s: float | None, reset_first: bool
) -> int:
    """Detect until stopped, or until the end has been reached and nothing has arrived for a while.

    Parameters
    ----------
    settings
        Where Kafka is.
    profile_name
        What counts as unusual.
    until_idle_s
        Exit after this long without new trades at the end of the topic; None never exits.
    reset_first
        Whether to set all partitions back to their beginning first; see `reset`.

    Returns
    -------
    int
        Exit code; 0 on a stop, unless the stop came before the reset was done.

    Raises
    ------
    TapewatchError
        The profile is invalid, a topic is missing or unsafe, or another detector has the same name.
    """
    tune_memory()
    kafka = kafka_connection(settings)
    stop = Stop()
    profile = load_profile(profile_name)
    health = Health()
    with serve_metrics(DETECTOR, settings, health):
        if not wait_for_safe_topics(kafka, TOPICS, stop, health):
            return 0
        instance = claim_instance(DETECTOR.service, settings)
        try:
            transactions = Transactions(
                kafka, f"{DETECTOR.group}-{instance}", stop, health.beat, **{"linger.ms": 0}
            )
            if reset_first and not reset(kafka, profile, transactions, stop):
                return 128 + (stop.signal or 0)
            service = DetectorService(settings, kafka, profile, instance, transactions, stop, health)
            try:
                service.run(until_idle_s)
            finally:
                service.close()
        except StoppedWaitingError:
            structlog.get_logger().warning(
                "stopped while Kafka was unavailable; the next run resumes after the last commit"
            )
    return 0


class DetectorService:
    """One instance of the detector.

    Parameters
    ----------
    settings
        How often checkpoints are written.
    kafka
        Connection to Kafka.
    profile
        What counts as unusual.
    instance
        This instance's name.
    transactions
        Opened under that name.
    stop
        Requests the end of the work.
    health
        Receives this instance's state.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        kafka: KafkaConnection,
        profile: Profile,
        instance: str,
        transactions: Transactions,
        stop: Stop,
        health: Health,
    ) -> None:
        self._log = structlog.get_logger()
        self._settings = settings
        self._kafka = kafka
        self._profile = profile
        self._stop = stop
        self._outbox = DetectorOutbox(transactions)
        self._assignment = Assignment()
        self._tally = metrics.Tally()
        self._homes = SymbolHomes()
        self._selftest = LiveSelftest(
            profile,
            expected_hash(settings.selftest_profile),
            settings.selftest_minutes * 60.0,
            settings.selftest_symbols,
        )
        self._watchdog = LiveWatchdog(profile.exchange, GroupOffsets(kafka))
        self._untold_profile = profile_message(profile)
        self._recovering_since_s: float | None = None
        client = {"client.id": f"{DETECTOR.service}-{instance}"}
        self._loop = ConsumerLoop(
            kafka,
            DETECTOR.group,
            [TRADES_TOPIC],
            DETECTOR.service,
            self,
            stop,
            health,
            lambda: client,
        )
        self._lag = Lag(DETECTOR.service, self._loop, [TRADES_TOPIC])

    def run(self, until_idle_s: float | None) -> None:
        """Work; see `run_detect`."""
        self._loop.run(self._turn_or_start_over, until_idle_s)
        try:
            self._commit()
        except TransactionAbortedError as error:
            self._log.warning("the last transaction was aborted; the next run repeats it", error=str(error))
        self._log.info(
            "detected",
            trades=self._tally.trades,
            anomalies=self._tally.anomalies,
            dead_letters=self._tally.dead_letters,
            late_trades=self._tally.out_of_order.all,
            unjudged_trades=self._tally.out_of_order.unjudged,
        )

    def close(self) -> None:
        """Leave the group; what is not committed yet is left to the next run."""
        self._outbox.discard()
        self._loop.close()

    def _turn_or_start_over(self) -> bool:
        try:
            is_busy = self._turn()
            self._test()
        except TransactionAbortedError as error:
            self._start_over(error)
            return True
        self._lag.update()
        return is_busy

    def _turn(self) -> bool:
        """Read and process one batch; returns whether there was anything to do."""
        records = self._loop.read(MAX_BATCH_TRADES, POLL_S, as_they_come=True)
        began_s = time.monotonic()
        self._process(records)
        is_loaded = len(records) >= LOADED_TRADES
        if self._outbox.open_since_s is None:
            if not self._uncommitted():
                return bool(records)
            self._outbox.begin()
        if not is_loaded or time.monotonic() - min(began_s, self._outbox.open_since_s or began_s) >= COMMIT_S:
            self._commit()
        return True

    def _test(self) -> None:
        """Plant anomalies for a moment, and tell what should be printing and is not."""
        partitions = self._assignment.partitions
        self._selftest.turn(partitions)
        events = self._watchdog.look(bool(partitions) and not self._assignment.is_replaying)
        if events and partitions:
            self._outbox.begin()
            self._outbox.tell(events)
            self._commit()

    def revoke(self) -> None:
        """Commit while this detector still owns the partitions."""
        try:
            self._commit()
        except TransactionAbortedError as error:
            self._start_over(error)
        self._assignment.hand_over()
        metrics.CHECKPOINT_AGE.clear()

    def lose(self) -> None:
        """Discard what is not committed: other detectors have resumed from the last commit."""
        try:
            self._outbox.abort("partitions lost")
        except TransactionAbortedError as error:
            self._start_over(error)
        self._assignment.drop()
        metrics.CHECKPOINT_AGE.clear()

    def _start_over(self, error: TransactionAbortedError) -> None:
        """Restore offsets and state from what was committed, after an aborted transaction."""
        ABORTS.labels(DETECTOR.service).inc()
        self._log.warning("transaction aborted, restoring offsets and state", error=str(error))
        self._outbox.discard()
        self._tally.discard()
        self._assignment.forget()
        self._loop.restore_again()
        if error.fenced:
            self._outbox.reopen()

    def restore(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Recover the partitions, keeping those that no other detector has changed meanwhile."""
        if not partitions:
            return []
        # Partitions that were added to only one topic have no checkpoints to read.
        check_same_partitions(self._loop.admin, TOPICS)
        # Offsets before checkpoints: this call waits for a transaction in flight, so the two match.
        starts = find_starts(self._loop.consumer, partitions)
        numbers = [start.number for start in starts]
        stored = newest_by_key(self._kafka, CHECKPOINTS_TOPIC, numbers, self._stop)
        self._assignment.begin()
        places = []
        for start in starts:
            partition = self._restored(start, stored[start.number])
            # Where retention has removed the next records, the new beginning is not committed yet.
            committed = start.committed if start.committed >= 0 else start.offset
            self._assignment.take(start.number, partition, committed)
            places.append(start.at(partition.position))
        self._assignment.begun()
        return places

    def started(self, seconds: float) -> None:
        """Log the assigned partitions."""
        self._recovering_since_s = time.monotonic() - seconds
        self._log.info(
            "assigned",
            partitions=sorted(self._assignment.partitions),
            to_replay=self._assignment.to_replay,
            seconds=round(seconds, 2),
        )

    def _restored(self, start: Start, stored: dict[bytes, bytes]) -> WatchedPartition:
        left = self._assignment.standby(start.number)
        if left is not None and is_unchanged(left, stored, start.offset):
            return left
        recovered = recover(
            stored,
            start.number,
            start.offset,
            start.beginning,
            self._profile,
            read_clock(start.metadata),
        )
        partition = WatchedPartition(recovered, self._profile.hash, self._settings.checkpoint_trades)
        if recovered.retract_until is not None and not self._stop.requested:
            self._retract(partition, start, recovered.retract_until)
        return partition

    def _retract(self, partition: WatchedPartition, start: Start, until: int) -> None:
        """Withdraw a partition's anomalies of the previous epoch, before the first one of this epoch.

        Each transaction commits the unchanged offset, so that one of a detector that has lost the partition
        cannot be committed after what its successor published. The last one starts the tape's clock again.
        """
        number = start.number
        clock_ns = read_clock(start.metadata).ns
        standing = list(standing_anomalies(self._kafka, number, until, start.beginning, self._stop))
        for first in range(0, len(standing) + 1, RETRACTIONS_AT_ONCE):
            if self._stop.requested:
                return
            self._outbox.begin()
            part = standing[first : first + RETRACTIONS_AT_ONCE]
            self._outbox.withdraw(number, part, clock_ns)
            metadata = start.metadata
            if first + RETRACTIONS_AT_ONCE > len(standing):
                self._outbox.save(CHECKPOINTS_TOPIC, number, PARTITION_KEY, partition.partition_checkpoint())
                metadata = clock_metadata(partition.clock)
            fence = [start.at(start.committed, metadata)]
            self._outbox.commit(fence, self._loop.consumer.consumer_group_metadata())
            metrics.RETRACTIONS.inc(len(part))
        self._log.info("withdrew anomalies found before the reset", partition=number, anomalies=len(standing))

    def _uncommitted(self) -> list[TopicPartition]:
        return self._assignment.uncommitted(self._loop.positions.next_offsets)

    def _process(self, records: list[Record]) -> None:
        """Run messages through their partitions' engines and publish the results."""
        by_partition: dict[int, list[Record]] = {}
        for record in records:
            by_partition.setdefault(record.partition(), []).append(record)
        for number, messages in by_partition.items():
            partition = self._assignment.partitions[number]
            found = partition.detect(messages)
            for remark in partition.take_remarks():
                self._log.warning(remark)
            self._homes.add(number, found.new_symbols)
            self._selftest.observe(number, partition, messages)
            if not partition.is_replaying:
                self._watchdog.observe(found.judged)
            if found.anomalies or found.rejected or not partition.is_replaying:
                self._outbox.begin()
            self._outbox.publish(number, found)
            self._tally.add(found)
        self._assignment.reach(self._loop.positions.next_offsets)
        if self._recovering_since_s is not None and not self._assignment.is_replaying:
            metrics.RECOVERY_SECONDS.set(time.monotonic() - self._recovering_since_s)
            self._recovering_since_s = None
            give_memory_back()

    def _commit(self) -> None:
        """Commit the open transaction, with checkpoints and offsets."""
        if self._outbox.open_since_s is None:
            return
        sizes_bytes = []
        all_bytes = 0
        for number, partition in self._assignment.partitions.items():
            for key, value in partition.checkpoints():
                self._outbox.save(CHECKPOINTS_TOPIC, number, key, value)
                all_bytes += len(value or b"")
                if value is not None and key != PARTITION_KEY:
                    sizes_bytes.append(len(value))
        if self._untold_profile is not None:
            self._outbox.save(PROFILES_TOPIC, 0, self._profile.hash.encode(), self._untold_profile)
        offsets = self._uncommitted()
        fence = offsets or self._assignment.unchanged()
        self._outbox.commit(fence, self._loop.consumer.consumer_group_metadata())
        self._untold_profile = None
        self._assignment.note_committed(offsets)
        metrics.count_checkpoints(sizes_bytes, all_bytes)
        self._tally.count()
        self._lag.measure()
        for number, partition in self._assignment.partitions.items():
            metrics.CHECKPOINT_AGE.labels(str(number)).set(partition.position - partition.replay_from)
