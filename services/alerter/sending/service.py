"""The sender of `tapewatch alert`: the topic `alerts` through the rules' channels to people.

One sender of the group has the topic's only partition, the others stand by. Each turn reads what has come and
what receivers have answered, has the dispatcher decide, writes its records, and only then has the channels
send what is next. A restart, or another sender, reads the records and sends nothing again that has one: only
what was accepted without its record being written may be sent twice, at most one message of each channel.
"""

import random
import time
from collections import Counter
from queue import Empty, SimpleQueue

import structlog
from confluent_kafka import TopicPartition

from services.alerter.channels.registry import open_channel
from services.alerter.rules.model import Rules
from services.alerter.sending import metrics
from services.alerter.sending.channel_worker import Answered, ChannelWorker
from services.alerter.sending.dispatcher import Dispatcher
from services.alerter.sending.items import Item
from services.alerter.sending.records import PRODUCER_SETTINGS, RecordLog, read_past
from services.alerter.sending.settings import SendingSettings
from services.alerter.sending.silence_log import SilenceLog
from services.common.config.settings import Settings
from services.common.kafka.clients import REQUEST_TIMEOUT_S
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.consumer_loop import ConsumerLoop, State
from services.common.kafka.lag import Lag
from services.common.kafka.offsets import find_starts
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.kafka.records import Record
from services.common.kafka.transactions import StoppedWaitingError, TransactionAbortedError, Transactions
from services.common.observability.counters import ABORTS, DEAD_LETTERS
from services.common.observability.health import Health
from services.common.process.instance import claim_instance
from services.common.process.shutdown import Stop
from services.contracts.alert import Delivery, Outcome, decode_alert
from services.contracts.components import ALERTER, SENDER_GROUP
from services.contracts.topics import (
    ALERT_DELIVERIES_TOPIC,
    ALERTS_TOPIC,
    DEAD_LETTERS_TOPIC,
    SILENCES_TOPIC,
)

TOPICS = [ALERTS_TOPIC, ALERT_DELIVERIES_TOPIC, SILENCES_TOPIC, DEAD_LETTERS_TOPIC]
SENDER = "alert-sender"
"""Its name in logs and metrics, beside the decider in the same process."""

READ_AT_ONCE = 500
IDLE_POLL_S = 0.05
SENDING_POLL_S = 0.01
"""While channels are sending: a new revision waits at most so long for an answer to come first."""

COMMIT_EVERY_S = 1.0
"""Of offsets without records."""
MEASURE_EVERY_S = 1.0
FINISH_S = 3.0
"""How long a rebalance or a stop waits for answers."""


def run_sender(settings: Settings, kafka: KafkaConnection, rules: Rules, stop: Stop, health: Health) -> None:
    """Send until a stop.

    Parameters
    ----------
    settings
        May give this instance's name.
    kafka
        Connection to Kafka.
    rules
        Which alerts go to which channels.
    stop
        Ends the work.
    health
        Receives the sender's state.

    Raises
    ------
    TapewatchError
        A channel cannot be used, a topic is missing or unsafe, or Kafka denies something.
    """
    retry_s = SendingSettings().alert_retry_hours * 3600
    channels = {name: open_channel(spec) for name, spec in rules.channels.items()}
    if not wait_for_safe_topics(kafka, TOPICS, stop, health):
        return
    instance = claim_instance(SENDER, settings)
    try:
        log = SilenceLog(kafka, stop)
        transactions = Transactions(
            kafka, f"{SENDER_GROUP}-{instance}", stop, health.beat, **PRODUCER_SETTINGS
        )
        now_s = time.time()
        draw = random.Random()  # noqa: S311 - spreads retries, protects nothing
        dispatcher = Dispatcher(rules, retry_s, log.silences, draw, now_s)
        answers: SimpleQueue[Answered] = SimpleQueue()
        workers = {name: ChannelWorker(name, channel, answers) for name, channel in channels.items()}
        sender = Sender(kafka, instance, dispatcher, workers, answers, log, transactions, stop, health)
        try:
            sender.run()
        finally:
            sender.close()
    except StoppedWaitingError:
        structlog.get_logger().warning(
            "stopped while Kafka was unavailable; what was just accepted may be sent again"
        )


class Sender:
    """One member of the group; see `run_sender`.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    instance
        This instance's name.
    dispatcher
        Decides.
    workers
        By channel.
    answers
        What the workers bring back.
    silence_log
        Keeps the dispatcher's silences up to date.
    transactions
        Opened under this instance's name.
    stop
        Ends the work.
    health
        Receives the sender's state.
    """

    def __init__(
        self,
        kafka: KafkaConnection,
        instance: str,
        dispatcher: Dispatcher,
        workers: dict[str, ChannelWorker],
        answers: "SimpleQueue[Answered]",
        silence_log: SilenceLog,
        transactions: Transactions,
        stop: Stop,
        health: Health,
    ) -> None:
        self._log = structlog.get_logger()
        self._kafka = kafka
        self._dispatcher = dispatcher
        self._workers = workers
        self._answers = answers
        self._silence_log = silence_log
        self._transactions = transactions
        self._records = RecordLog(transactions, health.beat)
        self._stop = stop
        self._origins: dict[int, Record] = {}
        """Messages of revisions with work left, for their dead letters; by offset."""
        self._unreadable: list[tuple[Record, str]] = []
        self._committed = (-1, -1)
        self._commit_at_s = 0.0
        self._measure_at_s = 0.0
        self._counted: Counter[str] = Counter()
        client = {"client.id": f"{SENDER}-{instance}"}
        self._loop = ConsumerLoop(
            kafka, SENDER_GROUP, [ALERTS_TOPIC], SENDER, self, stop, health, lambda: client
        )
        self._lag = Lag(SENDER, self._loop, [ALERTS_TOPIC])

    def run(self) -> None:
        """Work until a stop."""
        self._loop.run(self._turn_or_start_over, None)
        try:
            self._finish()
        except TransactionAbortedError as error:
            self._log.warning(
                "the last records were not written; what they are about is sent again", error=str(error)
            )
        self._log.info("stopped sending", **self._counted)

    def close(self) -> None:
        """Leave the group and end the channels."""
        for worker in self._workers.values():
            worker.close()
        self._silence_log.close()
        self._loop.close()

    def _turn_or_start_over(self) -> bool:
        try:
            return self._turn()
        except TransactionAbortedError as error:
            self._start_over(error)
            return True

    def _turn(self) -> bool:
        """Read, decide, record and send once; returns whether there was anything to do."""
        is_sending = self._dispatcher.is_sending
        records = self._loop.read(READ_AT_ONCE, 0 if is_sending else IDLE_POLL_S, as_they_come=True)
        self._silence_log.follow()
        # What follows an answer is sent at once: that is what most wait for when many alerts come.
        self._collect(SENDING_POLL_S if is_sending and not records else 0)
        self._measure()
        if self._loop.state is not State.LIVE or self._stop.requested:
            return bool(records)
        now_s = time.time()
        for record in records:
            self._take(record, now_s)
        read_to = self._loop.positions.next_offsets.get((ALERTS_TOPIC, 0), 0)
        self._dispatcher.progress.next_offset = max(self._dispatcher.progress.next_offset, read_to)
        chosen = self._dispatcher.next(now_s)
        self._write()
        for name, item in chosen:
            self._start(name, item)
        return bool(records)

    def _take(self, record: Record, now_s: float) -> None:
        offset = record.offset()
        _, created_ms = record.timestamp()
        try:
            alert = decode_alert(record.value() or b"")
        except ValueError as error:
            self._unreadable.append((record, f"not an alert: {error}"))
            self._dispatcher.progress.open(offset, set())
            return
        self._dispatcher.take(alert, offset, created_ms / 1000, now_s)
        if self._dispatcher.progress.is_open(offset):
            self._origins[offset] = record

    def _start(self, name: str, item: Item) -> None:
        self._dispatcher.started(name, item, time.time())
        self._workers[name].send(item.notice)

    def _collect(self, timeout_s: float) -> None:
        """Take the answers that have come, waiting up to `timeout_s` for a first one."""
        try:
            answered = self._answers.get(timeout=timeout_s) if timeout_s else self._answers.get_nowait()
            while True:
                self._dispatcher.answered(answered.channel, answered.answer, answered.seconds, time.time())
                answered = self._answers.get_nowait()
        except Empty:
            return

    def _write(self) -> None:
        """Write what the dispatcher has decided, and how far that is."""
        dispatcher = self._dispatcher
        pending = dispatcher.pending
        letters = [*self._unreadable, *((self._origins[at], reason) for at, reason in dispatcher.letters)]
        is_early = time.monotonic() < self._commit_at_s
        if not (pending or letters) and (is_early or self._place() == self._committed):
            return
        self._commit_at_s = time.monotonic() + COMMIT_EVERY_S

        def written(places: list[int]) -> list[TopicPartition]:
            for delivery, place in zip(pending, places, strict=True):
                dispatcher.recorded(delivery, place)
            return [_to_commit(*self._place())]

        self._records.write(pending, letters, written, self._loop.consumer.consumer_group_metadata())
        self._committed = self._place()
        self._note_written(pending, len(letters))
        dispatcher.letters, self._unreadable = [], []

    def _note_written(self, pending: list[Delivery], letters: int) -> None:
        self._dispatcher.pending = []
        metrics.count(pending)
        self._counted.update(delivery.outcome.value for delivery in pending)
        self._say(Outcome.FAILED, "not accepted; tried again later", pending)
        self._say(Outcome.DEAD, "given up", pending)
        DEAD_LETTERS.labels(ALERTER.service).inc(letters)
        for delivery in pending:
            if delivery.alert_offset is not None and not self._dispatcher.progress.is_open(
                delivery.alert_offset
            ):
                self._origins.pop(delivery.alert_offset, None)

    def _say(self, outcome: Outcome, event: str, written: list[Delivery]) -> None:
        """Log how many records have an outcome, with the first as an example."""
        found = [delivery for delivery in written if delivery.outcome is outcome]
        if found:
            example = found[0]
            self._log.warning(
                event,
                messages=len(found),
                channel=example.channel,
                alert_id=example.alert_id,
                revision=example.revision,
                reason=example.reason,
            )

    def _place(self) -> tuple[int, int]:
        """Return where a restart resumes in `alerts`, and the first record that it reads."""
        progress = self._dispatcher.progress
        return progress.resume_at, progress.first_record(time.time())

    def _finish(self) -> None:
        """Wait a moment for what is being sent, and record it while the partition is this sender's."""
        deadline_s = time.monotonic() + FINISH_S
        while self._dispatcher.is_sending and time.monotonic() < deadline_s and not self._stop.grace_expired:
            self._collect(IDLE_POLL_S)
        if self._loop.state is State.LIVE:
            self._write()

    def restore(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Resume after the records: nothing is sent again that has one."""
        self._forget()
        if not partitions:
            return []
        consumer = self._loop.consumer
        [start] = find_starts(consumer, partitions)  # waits for a transaction that is just ending
        [committed] = consumer.committed([start.at(start.offset)], timeout=REQUEST_TIMEOUT_S)
        metadata = committed.metadata or ""
        first_record = int(metadata) if metadata.isdecimal() else 0  # else somebody has moved the offset
        # The partition is this member's if it can commit; what it knows of the time before is recorded.
        pending = self._dispatcher.pending
        fence = [_to_commit(start.offset, first_record)]
        group = consumer.consumer_group_metadata()
        self._records.write(pending, [], lambda _places: fence, group)
        self._note_written(pending, 0)
        past, next_record = read_past(self._kafka, first_record, self._stop, time.time())
        self._dispatcher.restore(past, start.offset, next_record)
        self._committed = start.offset, first_record
        return [start.at(start.offset)]

    def started(self, seconds: float) -> None:
        """Say what was assigned."""
        offset, first_record = self._committed
        if self._loop.state is State.LIVE:
            self._log.info("sending alerts", offset=offset, record=first_record, seconds=round(seconds, 2))
        else:
            self._log.info("standing by to send alerts")

    def revoke(self) -> None:
        """Record what is being sent while the partition is still this sender's."""
        try:
            self._finish()
        except TransactionAbortedError as error:
            self._start_over(error)
        self._forget()

    def lose(self) -> None:
        """Forget what is to be sent: another sender may have resumed."""
        self._forget()

    def _forget(self) -> None:
        self._dispatcher.clear()
        self._origins.clear()
        self._unreadable.clear()

    def _start_over(self, error: TransactionAbortedError) -> None:
        """Resume from what was committed, after an aborted transaction."""
        ABORTS.labels(SENDER).inc()
        self._log.warning("transaction aborted, reading the records again", error=str(error))
        self._forget()
        self._loop.restore_again()
        if error.fenced:
            self._transactions.open()

    def _measure(self) -> None:
        if time.monotonic() >= self._measure_at_s:
            self._measure_at_s = time.monotonic() + MEASURE_EVERY_S
            metrics.measure(self._dispatcher, time.time())
            self._lag.update()


def _to_commit(offset: int, first_record: int) -> TopicPartition:
    return TopicPartition(ALERTS_TOPIC, 0, offset, str(first_record))
