"""`tapewatch detect --reset`: every partition is detected again from its beginning.

One transaction puts the detectors' committed offsets back to the beginning, and tells in each partition's
checkpoint up to where its anomalies have to be withdrawn; whoever gets the partition does that first. So a
reset happens as a whole or not at all, and a restart goes on with it.
"""

import structlog
from confluent_kafka import ConsumerGroupState, KafkaException, TopicPartition

from services.common.contracts import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC, DETECTOR_GROUP, TRADES_TOPIC
from services.common.errors import TapewatchError
from services.common.kafka import REQUEST_TIMEOUT_S, new_admin, new_consumer
from services.common.settings import Settings
from services.common.stops import Stop
from services.common.transactions import TransactionAbortedError, Transactions
from services.detector.checkpoint import PARTITION_KEY, PartitionCheckpoint, encode
from services.detector.engine import Engine
from services.detector.profile import Profile
from services.detector.recovery import load, next_run

LEAVE_TIMEOUT_S = 10.0
"""A detector that was killed is a member of the group for some seconds more."""


def reset(settings: Settings, profile: Profile, transactions: Transactions, stop: Stop) -> None:
    """Let the detection begin anew with a profile.

    Raises
    ------
    TapewatchError
        Other detectors are at work, or the broker refused.
    """
    log = structlog.get_logger()
    consumer = new_consumer(settings.kafka, DETECTOR_GROUP)
    try:
        _wait_until_alone(settings.kafka, stop)
        topic = new_admin(settings.kafka).list_topics(TRADES_TOPIC, REQUEST_TIMEOUT_S).topics[TRADES_TOPIC]
        layout = Engine(profile).layout
        stored = load(settings.kafka, list(topic.partitions), stop)
        transactions.begin()
        beginnings = []
        for number in topic.partitions:
            beginning, _ = consumer.get_watermark_offsets(
                TopicPartition(TRADES_TOPIC, number), REQUEST_TIMEOUT_S
            )
            _, anomalies_end = consumer.get_watermark_offsets(
                TopicPartition(ANOMALIES_TOPIC, number), REQUEST_TIMEOUT_S
            )
            record = PartitionCheckpoint(
                run=next_run(stored[number]),
                profile=profile.hash,
                layout=layout,
                replay_from=beginning,
                retract_until=anomalies_end,
            )
            transactions.producer.produce(
                CHECKPOINTS_TOPIC, key=PARTITION_KEY, value=encode(record), partition=number
            )
            beginnings.append(TopicPartition(TRADES_TOPIC, number, beginning))
        if stop.requested:
            return
        transactions.commit(beginnings, consumer.consumer_group_metadata())
        log.info("reset: all trades in the topic are scored anew", partitions=len(beginnings))
    except (KafkaException, TransactionAbortedError) as error:
        raise TapewatchError(
            f"Kafka refused the reset, and nothing was changed: {error}.",
            "Look at the broker, and try again.",
        ) from error
    finally:
        consumer.close()


def _wait_until_alone(bootstrap: str, stop: Stop) -> None:
    """Wait for detectors that have just ended to be forgotten.

    Raises
    ------
    TapewatchError
        One is at work.
    """
    admin = new_admin(bootstrap)
    for _ in range(int(LEAVE_TIMEOUT_S)):
        group = admin.describe_consumer_groups([DETECTOR_GROUP])[DETECTOR_GROUP].result()
        if stop.requested or group.state in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD):
            return
        stop.wait(1.0)
    members = ", ".join(sorted({member.client_id for member in group.members}))
    raise TapewatchError(
        f"Other detectors are at work: {members}.",
        "Stop them all, run `tapewatch detect --reset` once, and start them again with the same profile.",
    )
