"""Creates the topics of the contract, and sets what differs in those that exist."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from services.common.errors import TapewatchError
from services.common.kafka.preflight import check_partitions
from services.contracts.topics import DEFAULT_PARTITIONS, ONE_PARTITION, SAME_PARTITIONS, TOPICS

TIMEOUT_S = 30.0


def set_up_topics(admin: AdminClient, partitions: int = DEFAULT_PARTITIONS) -> list[str]:
    """Create the topics and set their settings; returns one line for each change.

    Parameters
    ----------
    admin
        A client of the cluster.
    partitions
        Of topics that are created. One that exists keeps its number, and those that must have as many as it
        are created with that number.

    Raises
    ------
    TapewatchError
        Topics that must have the same number of partitions differ in it, or the broker rejected the request.
    """
    changes = []
    try:
        existing = admin.list_topics(timeout=TIMEOUT_S).topics
        counts = {name: len(existing[name].partitions) for name in TOPICS if name in existing}
        check_partitions(counts)
        partitions = next((counts[name] for name in SAME_PARTITIONS if name in counts), partitions)
        missing = [name for name in TOPICS if name not in existing]
        wanted = {name: 1 if name in ONE_PARTITION else partitions for name in missing}
        if missing:
            created = admin.create_topics(
                [NewTopic(name, wanted[name], config=TOPICS[name]) for name in missing],
                operation_timeout=TIMEOUT_S,
            )
            for name, future in created.items():
                future.result()
                changes.append(f"created topic {name} ({_counted(wanted[name])})")
        changes += _correct_settings(admin, [name for name in TOPICS if name in existing])
    except KafkaException as error:
        raise TapewatchError(
            f"Kafka rejected the setup of the topics: {error.args[0].str()}.",
            "Check the broker's log and this user's permissions.",
        ) from error
    return changes


def _counted(partitions: int) -> str:
    return f"{partitions} partition" + ("" if partitions == 1 else "s")


def _correct_settings(admin: AdminClient, names: list[str]) -> list[str]:
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
