"""`tapewatch detect --reset`: every partition is detected again from its beginning.

One transaction sets the detectors' committed offsets back to the beginning, and records in each partition's
checkpoint the offset up to which its anomalies must be withdrawn; the detector that gets the partition does
that first. A reset is therefore atomic, and a restart resumes it.
"""

import structlog
from confluent_kafka import ConsumerGroupState, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from services.common.errors import TapewatchError
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import EndOffsets, watermarks
from services.common.kafka.reading import newest_by_key
from services.common.kafka.transactions import TransactionAbortedError, Transactions
from services.common.process.shutdown import Stop
from services.contracts.components import DETECTOR
from services.contracts.topics import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC, TRADES_TOPIC
from services.detector.engine.engine import Engine
from services.detector.live.checkpoint import PARTITION_KEY, PartitionCheckpoint, encode
from services.detector.live.recovery import next_epoch, partition_record
from services.detector.profiles.profile import Profile

LEAVE_TIMEOUT_S = 10.0
"""A detector that was killed stays a member of the group for some seconds."""


def reset(kafka: KafkaConnection, profile: Profile, transactions: Transactions, stop: Stop) -> bool:
    """Restart the detection from the beginning with a profile.

    Returns
    -------
    bool
        False if a stop was requested first; nothing was changed then.

    Raises
    ------
    TapewatchError
        Other detectors are running, or Kafka rejected the reset.
    """
    log = structlog.get_logger()
    consumer = new_consumer(kafka, DETECTOR.group)
    of_ends = EndOffsets(kafka)
    try:
        admin = new_admin(kafka)
        _wait_until_alone(admin, stop)
        topic = admin.list_topics(TRADES_TOPIC, REQUEST_TIMEOUT_S).topics[TRADES_TOPIC]
        layout = Engine(profile).state_schema
        stored = newest_by_key(kafka, CHECKPOINTS_TOPIC, list(topic.partitions), stop)
        all_committed = consumer.committed(
            [TopicPartition(TRADES_TOPIC, number) for number in topic.partitions], timeout=REQUEST_TIMEOUT_S
        )
        anomalies = [TopicPartition(ANOMALIES_TOPIC, number) for number in topic.partitions]
        # Anomalies after an abandoned transaction must be withdrawn too.
        ends = of_ends.ask(anomalies, IsolationLevel.READ_UNCOMMITTED)
        transactions.begin()
        beginnings = []
        for committed in all_committed:
            number = committed.partition
            before = partition_record(stored[number])
            beginning, _ = watermarks(consumer, TopicPartition(TRADES_TOPIC, number))
            record = PartitionCheckpoint(
                epoch=next_epoch(stored[number]),
                profile=profile.hash,
                layout=layout,
                replay_from=beginning,
                retract_until=ends[ANOMALIES_TOPIC, number],
                letters_from=max(committed.offset, before.letters_from if before else 0),
            )
            transactions.producer.produce(
                CHECKPOINTS_TOPIC, key=PARTITION_KEY, value=encode(record), partition=number
            )
            # The clock goes with the retractions, which come next.
            beginnings.append(
                TopicPartition(TRADES_TOPIC, number, beginning, metadata=committed.metadata or "")
            )
        if stop.requested:
            return False
        transactions.commit(beginnings, consumer.consumer_group_metadata())
        log.info("reset: all trades in the topic are scored again", partitions=len(beginnings))
        return True
    except (KafkaException, TransactionAbortedError) as error:
        raise TapewatchError(
            f"Kafka rejected the reset; nothing was changed: {error}.",
            "Check the broker and try again.",
        ) from error
    finally:
        consumer.close()
        of_ends.close()


def _wait_until_alone(admin: AdminClient, stop: Stop) -> None:
    """Wait until detectors that have just stopped have left the group.

    Raises
    ------
    TapewatchError
        A detector is running.
    """
    for _ in range(int(LEAVE_TIMEOUT_S)):
        groups = admin.describe_consumer_groups([DETECTOR.group], request_timeout=REQUEST_TIMEOUT_S)
        group = groups[DETECTOR.group].result()
        if stop.requested or group.state in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD):
            return
        stop.wait(1.0)
    members = ", ".join(sorted({member.client_id for member in group.members}))
    raise TapewatchError(
        f"Other detectors are running: {members}.",
        "Stop all of them, run `tapewatch detect --reset` once, and start them again with the same profile.",
    )
