"""The topics, as the contract has them."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from services.common.contracts import (
    ANOMALIES_TOPIC,
    CHECKPOINTS_TOPIC,
    DEAD_LETTER_MAX_BYTES,
    DEAD_LETTERS_TOPIC,
    PROGRESS_TOPIC,
    REPLAYS_TOPIC,
    TRADE_MAX_BYTES,
    TRADES_TOPIC,
)
from services.common.errors import TapewatchError

PARTITIONS = 6
DAY_MS = 24 * 3600 * 1000
TIMEOUT_S = 30.0
RECORD_OVERHEAD_BYTES = 100_000
"""A batch of one record is larger than the record: key, headers, framing."""

# Event times of past years would expire at once, so retention goes by the time of appending.
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


def _kept(days: int, max_bytes: int) -> dict[str, str]:
    return {
        **_APPEND_TIME,
        "cleanup.policy": "delete",
        "retention.ms": str(days * DAY_MS),
        "max.message.bytes": str(max_bytes + RECORD_OVERHEAD_BYTES),
    }


TOPICS: dict[str, dict[str, str]] = {
    TRADES_TOPIC: _kept(days=7, max_bytes=TRADE_MAX_BYTES),
    ANOMALIES_TOPIC: _kept(days=30, max_bytes=DEAD_LETTER_MAX_BYTES),
    DEAD_LETTERS_TOPIC: _kept(days=90, max_bytes=DEAD_LETTER_MAX_BYTES),
    # Longer than letters, so that none outlives the note that it was put back.
    REPLAYS_TOPIC: _kept(days=180, max_bytes=TRADE_MAX_BYTES),
    CHECKPOINTS_TOPIC: {
        **_APPEND_TIME,
        "cleanup.policy": "compact",
        "max.message.bytes": str(DEAD_LETTER_MAX_BYTES),
        # The newest segment is never compacted; a restart reads what is left, so segments are small.
        "segment.bytes": str(32 << 20),
    },
    PROGRESS_TOPIC: {**_APPEND_TIME, "cleanup.policy": "compact"},
}
"""Settings by topic; each has `PARTITIONS` partitions."""


def set_up_topics(admin: AdminClient) -> list[str]:
    """Create the topics and set their settings; returns one line for each change.

    Raises
    ------
    TapewatchError
        A topic has another number of partitions, or the broker refused.
    """
    changes = []
    try:
        existing = admin.list_topics(timeout=TIMEOUT_S).topics
        for name in TOPICS.keys() & existing.keys():
            count = len(existing[name].partitions)
            if count != PARTITIONS:
                raise TapewatchError(
                    f"The topic {name} has {count} partitions, Tapewatch needs {PARTITIONS}.",
                    "Changing the number moves symbols away from their state: delete the topic and replay.",
                )
        missing = [name for name in TOPICS if name not in existing]
        if missing:
            created = admin.create_topics(
                [NewTopic(name, PARTITIONS, config=TOPICS[name]) for name in missing],
                operation_timeout=TIMEOUT_S,
            )
            for name, future in created.items():
                future.result()
                changes.append(f"created topic {name} ({PARTITIONS} partitions)")
        changes += _mend_settings(admin, [name for name in TOPICS if name in existing])
    except KafkaException as error:
        raise TapewatchError(
            f"Kafka refused to set up the topics: {error.args[0].str()}.",
            "Check the broker's log and rights.",
        ) from error
    return changes


def _mend_settings(admin: AdminClient, names: list[str]) -> list[str]:
    """Set what differs from `TOPICS`, and nothing else."""
    if not names:
        return []
    changes = []
    described = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in names])
    for resource, future in described.items():
        current = future.result()
        wrong = {
            key: value
            for key, value in TOPICS[resource.name].items()
            if key not in current or current[key].value != value
        }
        if wrong:
            for key, value in wrong.items():
                resource.add_incremental_config(
                    ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
                )
            for altered in admin.incremental_alter_configs([resource]).values():
                altered.result()
            settings = ", ".join(f"{key}={value}" for key, value in wrong.items())
            changes.append(f"changed topic {resource.name}: {settings}")
    return changes
