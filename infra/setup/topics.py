"""Creates the topics of the contract, and sets what differs in those that exist."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from services.common.errors import TapewatchError
from services.contracts.topics import PARTITIONS, TOPICS

TIMEOUT_S = 30.0


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
