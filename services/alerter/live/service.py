"""`tapewatch alert`: the topics `anomalies` and `corrections` into the topic `alerts`, and from it to people.

The decider and the sender run in two threads of one process, as members of two groups. A transaction of the
decider holds the revisions of alerts, dead letters, the states of the symbols that have changed, and the
offsets behind them: nothing is replayed after a restart. Where the group has no offset yet, it begins at the
present end, and commits that before it reads.
"""

import time
from concurrent.futures import Future
from dataclasses import replace

import msgspec
import structlog
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

from services.alerter.live import metrics
from services.alerter.live.finish import Finisher
from services.alerter.live.outbox import AlerterOutbox
from services.alerter.live.partition import AlertedPartition, Decided
from services.alerter.live.prints import PrintsReader
from services.alerter.live.settings import AlerterSettings
from services.alerter.live.tape_clock import TapeClocks
from services.alerter.rules.model import Rules
from services.alerter.sending.service import run_sender
from services.common.errors import TapewatchError
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_consumer
from services.common.kafka.connection import KafkaConnection, kafka_connection
from services.common.kafka.consumer_loop import ConsumerLoop
from services.common.kafka.end_offsets import EndOffsets, Partition
from services.common.kafka.lag import Lag
from services.common.kafka.offsets import Start, find_starts
from services.common.kafka.preflight import check_same_partitions, wait_for_safe_topics
from services.common.kafka.reading import newest_by_key, partition_numbers
from services.common.kafka.transactions import StoppedWaitingError, TransactionAbortedError, Transactions
from services.common.observability.counters import ABORTS
from services.common.observability.health import Health, JointHealth
from services.common.observability.http import serve_metrics
from services.common.process.background import in_background, is_done
from services.common.process.instance import claim_instance
from services.common.process.memory import tune_memory
from services.common.process.shutdown import GRACE_S, Stop
from services.contracts.alert import Sending
from services.contracts.components import ALERTER, SENDER_GROUP
from services.contracts.topics import (
    ALERT_DELIVERIES_TOPIC,
    ALERTER_CHECKPOINTS_TOPIC,
    ALERTS_TOPIC,
    ANOMALIES_TOPIC,
    CORRECTIONS_TOPIC,
    DEAD_LETTERS_TOPIC,
    SILENCES_TOPIC,
    TRADES_TOPIC,
)

READS = [ANOMALIES_TOPIC, CORRECTIONS_TOPIC]
TOPICS = [
    *READS,
    TRADES_TOPIC,
    ALERTS_TOPIC,
    ALERT_DELIVERIES_TOPIC,
    SILENCES_TOPIC,
    ALERTER_CHECKPOINTS_TOPIC,
    DEAD_LETTERS_TOPIC,
]
MAX_BATCH_MESSAGES = 2_000
POLL_S = 0.1

SENT_WITHIN_S = 30.0
"""With `--until-idle`, what was decided may take that long to be sent before the process ends."""


def run_alert(settings: AlerterSettings, rules: Rules, send_old: bool, until_idle_s: float | None) -> int:
    """Decide and send until stopped, or until the end was reached and nothing has come for a while.

    Parameters
    ----------
    settings
        Where everything is.
    rules
        Which anomalies are told, and to whom.
    send_old
        Whether alerts of old trades are sent like those of new ones.
    until_idle_s
        Exit after this long without new anomalies at the end of the topics; None never exits.

    Returns
    -------
    int
        Exit code; a stop is a success.

    Raises
    ------
    TapewatchError
        A channel cannot be used, a topic is missing or unsafe, or another alerter has the same name.
    """
    tune_memory()
    kafka = kafka_connection(settings)
    stop = Stop()
    deciding, sending = Health(), Health()
    with serve_metrics(ALERTER, settings, JointHealth(deciding, sending)):
        sender = in_background(run_sender, settings, kafka, rules, stop, sending)
        try:
            if wait_for_safe_topics(kafka, TOPICS, stop, deciding):
                _decide(settings, kafka, rules, send_old, until_idle_s, stop, deciding, sender)
            if until_idle_s is not None and not stop.requested:
                _wait_until_sent(kafka, stop, sender)
        finally:
            stop.request()
            if not is_done(sender, 2 * GRACE_S):
                structlog.get_logger().warning("timed out while the sender was ending")
    if sender.done():
        sender.result()
    return 0


def _decide(
    settings: AlerterSettings,
    kafka: KafkaConnection,
    rules: Rules,
    send_old: bool,
    until_idle_s: float | None,
    stop: Stop,
    health: Health,
    sender: Future[None],
) -> None:
    instance = claim_instance(ALERTER.service, settings)
    try:
        transactions = Transactions(
            kafka, f"{ALERTER.group}-{instance}", stop, health.beat, **{"linger.ms": 0}
        )
        finish = Finisher(settings, send_old)
        service = AlerterService(kafka, rules, finish, instance, transactions, stop, health, sender)
        try:
            service.run(until_idle_s)
        finally:
            service.close()
    except StoppedWaitingError:
        structlog.get_logger().warning(
            "stopped while Kafka was unavailable; the next run resumes after the last commit"
        )


def _wait_until_sent(kafka: KafkaConnection, stop: Stop, sender: Future[None]) -> None:
    """Wait until the senders are done with everything that is in `alerts`, but not for ever."""
    places = [TopicPartition(ALERTS_TOPIC, 0)]
    consumer, of_ends = new_consumer(kafka, SENDER_GROUP), EndOffsets(kafka)
    until_s = time.monotonic() + SENT_WITHIN_S
    try:
        while time.monotonic() < until_s and not sender.done() and not stop.wait(POLL_S):
            try:
                [committed] = consumer.committed(places, timeout=REQUEST_TIMEOUT_S)
                end = of_ends.ask(places, IsolationLevel.READ_COMMITTED)[ALERTS_TOPIC, 0]
            except KafkaException:
                continue
            if max(committed.offset, 0) >= end:
                return
        if not stop.requested and not sender.done():
            structlog.get_logger().warning("not all alerts were sent; the next run resumes")
    finally:
        consumer.close()
        of_ends.close()


class AlerterService:
    """One instance of the decider.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    rules
        Which anomalies are told.
    finish
        Says whether a revision is to be sent.
    instance
        This instance's name.
    transactions
        Opened under that name.
    stop
        Requests the end of the work.
    health
        Receives this instance's state.
    sender
        The sender's thread; its end ends the decider.
    """

    def __init__(
        self,
        kafka: KafkaConnection,
        rules: Rules,
        finish: Finisher,
        instance: str,
        transactions: Transactions,
        stop: Stop,
        health: Health,
        sender: Future[None],
    ) -> None:
        self._log = structlog.get_logger()
        self._kafka = kafka
        self._rules = rules
        self._finish = finish
        self._stop = stop
        self._sender = sender
        self._outbox = AlerterOutbox(transactions)
        self._clocks = TapeClocks(kafka)
        self._prints = PrintsReader(kafka)
        self._partitions: dict[int, AlertedPartition] = {}
        self._committed: dict[Partition, int] = {}
        self._decided = Decided()
        self._tally = metrics.Tally()
        client = {"client.id": f"{ALERTER.service}-{instance}"}
        self._loop = ConsumerLoop(
            kafka,
            ALERTER.group,
            READS,
            ALERTER.service,
            self,
            stop,
            health,
            lambda: client,
        )
        self._lag = Lag(ALERTER.service, self._loop, READS)

    def run(self, until_idle_s: float | None) -> None:
        """Work; see `run_alert`."""
        self._loop.run(self._turn_or_start_over, until_idle_s)
        self._log.info(
            "decided",
            anomalies=self._tally.anomalies,
            revisions=self._tally.revisions,
            dead_letters=self._tally.dead_letters,
        )

    def close(self) -> None:
        """Leave the group; what is not committed yet is left to the next run."""
        self._outbox.discard()
        self._prints.close()
        self._loop.close()

    def _turn_or_start_over(self) -> bool:
        if self._sender.done():
            self._stop.request()
            return False
        try:
            is_busy = self._turn()
        except TransactionAbortedError as error:
            self._start_over(error)
            return True
        self._lag.update()
        return is_busy

    def _turn(self) -> bool:
        """Read, decide and commit once; returns whether there was anything to do."""
        records = self._loop.read(MAX_BATCH_MESSAGES, POLL_S, as_they_come=True)
        for record in records:
            number = record.partition()
            if self._partitions[number].take(record, self._decided):
                self._clocks.forget(number)
        waiting = [number for number, one in sorted(self._partitions.items()) if one.open_alerts]
        due = self._clocks.due(waiting, self._loop.positions.next_offsets)
        for number, clock_ns in due.items():
            self._partitions[number].pass_clock(clock_ns, self._decided)
        if not records and not self._decided.alerts and not self._uncommitted():
            return False
        self._commit()
        return True

    def _commit(self) -> None:
        """Publish what was decided, with states and offsets, in one transaction."""
        self._outbox.begin()
        self._add_trades()
        decided = self._decided
        self._outbox.publish(decided.alerts, decided.rejected)
        for number, partition in self._partitions.items():
            for key, value in partition.checkpoints():
                self._outbox.save(ALERTER_CHECKPOINTS_TOPIC, number, key, value)
        offsets = self._uncommitted()
        fence = offsets or [TopicPartition(*place, offset) for place, offset in self._committed.items()]
        self._outbox.commit(fence, self._loop.consumer.consumer_group_metadata())
        for place in offsets:
            self._committed[place.topic, place.partition] = place.offset
        self._decided = Decided()
        self._tally.count(decided.anomalies, decided.corrections, len(decided.rejected), decided.alerts)
        metrics.OPEN_ALERTS.set(sum(one.open_alerts for one in self._partitions.values()))
        self._lag.measure()

    def _add_trades(self) -> None:
        """Show alerts that open the trades before their own, as far as the topic gives them in time."""
        wanted = self._decided.wanted
        if not wanted:
            return
        found = self._prints.read(wanted)
        for one in wanted:
            self._partitions[one.number].keep_trades(one.symbol, one.alert_id, found.get(one.alert_id, []))
        self._decided.alerts = [
            msgspec.structs.replace(alert, trades=found[alert.alert_id])
            if alert.alert_id in found and alert.sending is Sending.DUE
            else alert
            for alert in self._decided.alerts
        ]

    def _uncommitted(self) -> list[TopicPartition]:
        return [
            TopicPartition(*place, offset)
            for place, offset in self._loop.positions.next_offsets.items()
            if offset > self._committed.get(place, offset)
        ]

    def revoke(self) -> None:
        """Give up the partitions; whatever was read is committed, as each turn ends with that."""
        self._drop()

    def lose(self) -> None:
        """Give up the partitions."""
        self._drop()

    def _drop(self) -> None:
        self._partitions = {}
        self._committed = {}
        self._decided = Decided()
        self._clocks.forget_all()

    def _start_over(self, error: TransactionAbortedError) -> None:
        """Restore offsets and state from what was committed, after an aborted transaction."""
        ABORTS.labels(ALERTER.service).inc()
        self._log.warning("transaction aborted, restoring offsets and state", error=str(error))
        self._outbox.discard()
        self._drop()
        self._loop.restore_again()
        if error.fenced:
            self._outbox.reopen()

    def restore(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Resume after the committed offsets with the state that was committed with them."""
        self._drop()
        if not partitions:
            return []
        # One number for a symbol's messages of both topics, and for its state.
        self._check_partitions()
        starts = self._begun(find_starts(self._loop.consumer, partitions))
        numbers = sorted({start.number for start in starts})
        stored = newest_by_key(self._kafka, ALERTER_CHECKPOINTS_TOPIC, numbers, self._stop)
        for number in numbers:
            partition = AlertedPartition(number, self._rules, self._finish)
            partition.restore(stored[number])
            for reason in partition.unreadable:
                self._log.error("a checkpoint cannot be read, its alerts are forgotten", reason=reason)
            self._partitions[number] = partition
        self._committed = {(start.topic, start.number): start.committed for start in starts}
        self._prints.warm_up(numbers)
        return [start.at(start.offset) for start in starts]

    def _begun(self, starts: list[Start]) -> list[Start]:
        """Commit the present end of each partition without an offset: alerts begin now."""
        new = [start.at(0) for start in starts if start.committed < 0]
        if not new:
            return starts
        ends = self._loop.ends.ask(new, IsolationLevel.READ_COMMITTED)
        self._outbox.begin()
        offsets = [TopicPartition(*place, end) for place, end in ends.items()]
        self._outbox.commit(offsets, self._loop.consumer.consumer_group_metadata())
        self._log.info("first start: what is in the topics by now is not told", messages=sum(ends.values()))
        return [
            replace(start, committed=ends.get((start.topic, start.number), start.committed))
            for start in starts
        ]

    def _check_partitions(self) -> None:
        check_same_partitions(self._loop.admin, [TRADES_TOPIC, ANOMALIES_TOPIC, ALERTER_CHECKPOINTS_TOPIC])
        anomalies, corrections = (len(partition_numbers(self._loop.admin, topic)) for topic in READS)
        if anomalies != corrections:
            raise TapewatchError(
                f"The topic {CORRECTIONS_TOPIC} has {corrections} partitions and {ANOMALIES_TOPIC} has "
                f"{anomalies}: a symbol's corrections would not come to its alerts.",
                f"Give {CORRECTIONS_TOPIC} as many partitions as {ANOMALIES_TOPIC} has.",
            )

    def started(self, seconds: float) -> None:
        """Log the assigned partitions."""
        self._log.info(
            "assigned",
            partitions=sorted(self._partitions),
            open_alerts=sum(one.open_alerts for one in self._partitions.values()),
            seconds=round(seconds, 2),
        )
