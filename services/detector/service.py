"""`tapewatch detect`: the topic `trades` through the engine into the topic `anomalies`.

Anomalies, dead letters and the input's offsets are committed in one transaction. Every partition has an
engine of its own. One that was just assigned is read from its beginning, without publishing anything up
to the committed offset: so the state is the same as if this process had always been here.
"""

import datetime as dt
import time
from collections.abc import Callable

import structlog
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from services.common.contracts import ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC, DETECTOR_GROUP, TRADES_TOPIC
from services.common.dead_letters import publish_refused_message
from services.common.errors import TapewatchError
from services.common.kafka import (
    REQUEST_TIMEOUT_S,
    Positions,
    new_admin,
    new_consumer,
    new_producer,
    wait_for_topics,
)
from services.common.settings import Settings
from services.common.stops import Stop
from services.common.trade import NotATradeError, Trade, decode_trade
from services.detector.engine import Engine, anomaly_json
from services.detector.profile import Profile, load_profile

MAX_BATCH_TRADES = 10_000
POLL_S = 0.1
TRANSACTION_TIMEOUT_MS = 10_000
"""An abandoned transaction holds up every reader until then."""


def run_detect(settings: Settings, profile_name: str | None, until_idle_s: float | None) -> int:
    """Detect until stopped, or until the end has been reached and nothing came for a while.

    Returns
    -------
    int
        Exit code; a stop is a success.

    Raises
    ------
    TapewatchError
        The profile is wrong, a topic is missing, or another detector has this one's name.
    """
    stop = Stop()
    profile = load_profile(profile_name)
    topics = [TRADES_TOPIC, ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC]
    if not wait_for_topics(settings.kafka, topics, stop):
        return 0
    service = DetectorService(settings, profile)
    try:
        service.run(stop, until_idle_s)
    finally:
        service.close()
    return 0


class DetectorService:
    """One instance of the detector.

    Parameters
    ----------
    settings
        Where Kafka is, and this instance's name.
    profile
        What counts as unusual.
    """

    def __init__(self, settings: Settings, profile: Profile) -> None:
        self._log = structlog.get_logger()
        self._profile = profile
        self._admin = new_admin(settings.kafka)
        self._consumer: Consumer = new_consumer(settings.kafka, DETECTOR_GROUP)
        self._producer: Producer = new_producer(
            settings.kafka,
            **{
                "transactional.id": f"{DETECTOR_GROUP}-{settings.instance}",
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "linger.ms": 0,
            },
        )
        self._producer.init_transactions(REQUEST_TIMEOUT_S * 6)
        self._engines: dict[int, Engine] = {}
        self._committed: dict[int, int] = {}
        self._positions = Positions()
        self._trades = self._anomalies = self._dead_letters = 0

    def run(self, stop: Stop, until_idle_s: float | None) -> None:
        """Work; see `run_detect`."""
        self._consumer.subscribe([TRADES_TOPIC], on_assign=self._on_assign, on_revoke=self._on_revoke)
        busy_at_s = time.monotonic()
        while not stop.requested:
            records = self._positions.split(self._consumer.consume(MAX_BATCH_TRADES, POLL_S))
            if records or self._uncommitted():
                self._process(records)
                busy_at_s = time.monotonic()
            elif until_idle_s is not None and not self._positions.at_end(self._consumer, self._admin):
                busy_at_s = time.monotonic()
            elif until_idle_s is not None and time.monotonic() - busy_at_s >= until_idle_s:
                break
        self._log.info(
            "detected",
            trades=self._trades,
            anomalies=self._anomalies,
            dead_letters=self._dead_letters,
            late_trades=sum(engine.late_trades for engine in self._engines.values()),
        )

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for partition in consumer.committed(partitions, timeout=REQUEST_TIMEOUT_S * 6):
            self._committed[partition.partition] = max(partition.offset, 0)
            self._engines[partition.partition] = Engine(self._profile)
        consumer.assign([TopicPartition(p.topic, p.partition, OFFSET_BEGINNING) for p in partitions])
        self._log.info("assigned", partitions=sorted(p.partition for p in partitions))

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._positions.forget(partitions)
        for partition in partitions:
            self._engines.pop(partition.partition, None)
            self._committed.pop(partition.partition, None)

    def _uncommitted(self) -> list[TopicPartition]:
        """Return the positions that are beyond the committed offsets."""
        return [
            offset
            for offset in self._positions.as_offsets()
            if offset.offset
            > self._committed.get(offset.partition, offset.offset)  # unless it was handed away
        ]

    def _process(self, records: list[Message]) -> None:
        by_partition: dict[int, list[Message]] = {}
        for record in records:
            by_partition.setdefault(record.partition(), []).append(record)
        for handed_away in by_partition.keys() - self._engines.keys():  # while the batch was gathered
            del by_partition[handed_away]
        self._producer.begin_transaction()
        try:
            for partition, messages in by_partition.items():
                self._detect(partition, messages)
            offsets = self._uncommitted()
            if offsets:
                group = self._consumer.consumer_group_metadata()
                _repeat(lambda: self._producer.send_offsets_to_transaction(offsets, group, REQUEST_TIMEOUT_S))
            _repeat(lambda: self._producer.commit_transaction(REQUEST_TIMEOUT_S * 2))
        except KafkaException as error:
            self._recover(error.args[0])
            return
        for offset in offsets:
            self._committed[offset.partition] = offset.offset

    def _detect(self, partition: int, messages: list[Message]) -> None:
        """Run a partition's messages through its engine; publish what is beyond the committed offset."""
        publish_from = self._committed[partition]
        trades: list[Trade] = []
        origins: list[Message] = []
        for message in messages:
            try:
                trades.append(decode_trade(message.value()))
                origins.append(message)
            except NotATradeError as error:
                if message.offset() >= publish_from:
                    publish_refused_message(self._producer, "detector", str(error), message, _ignore)
                    self._dead_letters += 1
        now = dt.datetime.now(dt.UTC)
        for anomaly in self._engines[partition].detect(trades):
            origin = origins[anomaly.at]
            if origin.offset() >= publish_from:
                value = anomaly_json(origin.value(), anomaly, now)
                self._producer.produce(ANOMALIES_TOPIC, key=origin.key(), value=value)
                self._anomalies += 1
        is_replay = messages[0].offset() < publish_from
        self._trades += sum(m.offset() >= publish_from for m in messages) if is_replay else len(messages)

    def _recover(self, error: KafkaError) -> None:
        """Abort, and read position and state again from what was committed."""
        if error.fatal() or not error.txn_requires_abort():
            raise TapewatchError(
                f"Kafka ended this detector's transactions: {error.str()}.",
                "Is another detector running under the same name? Give each its own TAPEWATCH_INSTANCE.",
            ) from KafkaException(error)
        self._log.warning("transaction aborted, reading state again", error=error.str())
        _repeat(lambda: self._producer.abort_transaction(REQUEST_TIMEOUT_S * 2))
        partitions = self._consumer.assignment()
        self._on_revoke(self._consumer, partitions)
        if partitions:
            self._on_assign(self._consumer, partitions)


def _repeat(call: Callable[[], None]) -> None:
    """Make a call of the transaction again while the broker asks for that."""
    while True:
        try:
            call()
        except KafkaException as error:
            if not error.args[0].retriable():
                raise
        else:
            return


def _ignore(_error: KafkaError | None, _message: Message) -> None:
    """Do nothing: a failed delivery fails the whole transaction, which is seen when it is committed."""
