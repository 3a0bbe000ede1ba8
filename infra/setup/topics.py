"""Creates the topics of the contract, and sets what differs in those that exist."""

from collections.abc import Callable, Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    TopicMetadata,
)

from infra.setup.topic_layout import (
    MIN_IN_SYNC,
    FoundTopic,
    TopicLayout,
    check_layout,
    for_good,
    number_of_partitions,
)
from services.common.errors import TapewatchError
from services.common.kafka.preflight import check_partitions
from services.contracts.topics import ONE_PARTITION, TOPICS

TIMEOUT_S = 30.0
_AS_THE_BROKERS_SAY = -1


def set_up_topics(
    admin: AdminClient, layout: TopicLayout | None = None, note: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Create the topics and set their settings; returns one line for each change.

    Parameters
    ----------
    admin
        A client of the cluster.
    layout
        How they are spread over brokers; None for the defaults. Topics that exist keep their partitions, and
        those that must have as many are created with that number.
    note
        Told before topics are created what cannot be changed afterwards.

    Raises
    ------
    TapewatchError
        What exists is not what is asked for, or cannot be made so; topics that must have the same number of
        partitions differ in it; or the broker rejected the request.
    """
    layout = layout or TopicLayout()
    changes = []
    try:
        cluster = admin.list_topics(timeout=TIMEOUT_S)
        existing = {name: _found(cluster.topics[name]) for name in TOPICS if name in cluster.topics}
        counts = {name: topic.partitions for name, topic in existing.items()}
        check_partitions(counts)
        missing = [name for name in TOPICS if name not in existing]
        check_layout(layout, existing, len(missing), len(cluster.brokers))
        partitions = number_of_partitions(layout, counts)
        wanted = {name: 1 if name in ONE_PARTITION else partitions for name in missing}
        settings = {name: _settings(name, layout) for name in TOPICS}
        if missing:
            for line in for_good(layout, partitions, missing):
                note(line)
            created = admin.create_topics(
                [
                    NewTopic(
                        name,
                        wanted[name],
                        layout.replication or _AS_THE_BROKERS_SAY,
                        config=settings[name],
                    )
                    for name in missing
                ],
                operation_timeout=TIMEOUT_S,
            )
            for name, future in created.items():
                future.result()
                changes.append(f"created topic {name} ({_counted(wanted[name])})")
        changes += _correct_settings(admin, {name: settings[name] for name in existing})
    except KafkaException as error:
        raise TapewatchError(
            f"Kafka rejected the setup of the topics: {error.args[0].str()}.",
            "Check the broker's log and this user's permissions.",
        ) from error
    return changes


def _counted(partitions: int) -> str:
    return f"{partitions} partition" + ("" if partitions == 1 else "s")


def _found(topic: TopicMetadata) -> FoundTopic:
    replicas = min((len(partition.replicas) for partition in topic.partitions.values()), default=0)
    return FoundTopic(len(topic.partitions), replicas)


def _settings(name: str, layout: TopicLayout) -> dict[str, str]:
    in_sync = layout.min_insync_replicas
    return TOPICS[name] | ({MIN_IN_SYNC: str(in_sync)} if in_sync is not None else {})


def _correct_settings(admin: AdminClient, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Set what differs from the settings wanted, by topic, and nothing else."""
    if not wanted:
        return []
    changes = []
    described = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name) for name in wanted])
    for resource, future in described.items():
        current = future.result()
        wrong = {
            key: value
            for key, value in wanted[resource.name].items()
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
