"""Rejects topic settings that would make the services lose or repeat data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, TopicMetadata

from services.common.errors import TapewatchError
from services.common.kafka.access import BrokerAccess
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_admin
from services.common.kafka.connection import KafkaConnection
from services.common.observability.health import Health
from services.common.process.readiness import wait_for_server
from services.common.process.shutdown import Stop
from services.contracts.topics import (
    ALERTER_CHECKPOINTS_TOPIC,
    ANOMALIES_TOPIC,
    CHECKPOINTS_TOPIC,
    DEAD_LETTERS_TOPIC,
    INDEXED,
    PROFILES_TOPIC,
    PROGRESS_TOPIC,
    SAME_PARTITIONS,
    SILENCES_TOPIC,
    TOPICS,
    TRADES_TOPIC,
)

SHORTEST_RETENTION_MS = 3_600_000
"""A service that is down for less than that loses nothing."""

LEAST_RETENTION_BYTES = 1 << 30
"""For a partition; some million trades, which a service that is down for a day may have to catch up on."""

_READ_LATER = tuple(name for name in INDEXED if TOPICS[name]["cleanup.policy"] == "delete")
"""Topics that are read to be indexed, sooner or later, before retention removes what is in them."""

_BY_SETUP = "Run `tapewatch setup` to correct it."
_LOST_IF_DELETED = {
    CHECKPOINTS_TOPIC: "the state to resume from would be forgotten, and anomalies missed or changed",
    PROGRESS_TOPIC: "how far a file was published would be forgotten, and its trades published twice",
    ALERTER_CHECKPOINTS_TOPIC: "open alerts would be forgotten, and told again under other names",
    PROFILES_TOPIC: "the parameters behind an anomaly could no longer be told",
    SILENCES_TOPIC: "silences would be forgotten, and what they hold back would be sent",
}


@dataclass(frozen=True)
class TopicState:
    """One topic as the broker describes it."""

    partitions: int
    replicas: int
    """Replicas of the partition that has the fewest."""
    settings: Mapping[str, str]
    """Settings in force, inherited ones included; some brokers do not have all of Kafka's."""


def wait_for_topics(
    kafka: KafkaConnection, topics: list[str], stop: Stop, beat: Callable[[], None] = lambda: None
) -> bool:
    """Wait for the broker, calling `beat` regularly, and check that the topics exist.

    Returns
    -------
    bool
        False if a stop came before the broker.

    Raises
    ------
    TapewatchError
        A topic is missing, or the broker will not accept this client; see `BrokerAccess`.
    """
    access = BrokerAccess(kafka)
    found: set[str] = set()

    def ask() -> None:
        found.update(access.list_topics().topics)

    if not wait_for_server(ask, KafkaException, f"Kafka at {kafka}", stop, beat):
        return False
    if missing := [topic for topic in topics if topic not in found]:
        raise TapewatchError(
            f"Kafka at {kafka} is missing the topic{'s'[: len(missing) > 1]} {', '.join(missing)}.",
            "Run `tapewatch setup` to create the topics.",
        )
    return True


def wait_for_safe_topics(kafka: KafkaConnection, topics: list[str], stop: Stop, health: Health) -> bool:
    """Wait for the broker, then check that the topics exist and that their settings are safe.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    topics
        See `check_topics`.
    stop
        Ends the waiting.
    health
        Told meanwhile that the service waits, and for what.

    Returns
    -------
    bool
        False if a stop came before the broker.

    Raises
    ------
    TapewatchError
        See `wait_for_topics` and `check_topics`.
    """
    health.detail = place = f"Kafka at {kafka}"
    if not wait_for_topics(kafka, topics, stop, health.beat):
        return False
    admin = new_admin(kafka)
    return wait_for_server(lambda: check_topics(admin, topics), KafkaException, place, stop, health.beat)


def check_topics(admin: AdminClient, topics: list[str]) -> None:
    """Check that no topic's settings would lose or repeat data.

    Parameters
    ----------
    admin
        A client of the cluster.
    topics
        Names of existing topics from the contract; only these are compared.

    Raises
    ------
    TapewatchError
        A setting would lose or repeat data, or the broker does not show the settings to this user.
    KafkaException
        The broker does not answer.
    """
    metadata = _describe_topics(admin, topics)
    # Only now: librdkafka may abort the process when this kind of request waits for a broker until its time
    # is over (its issue 4605).
    described = admin.describe_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics],
        request_timeout=REQUEST_TIMEOUT_S,
    )
    settings: dict[str, dict[str, str]] = {}
    for resource, answer in described.items():
        try:
            entries = answer.result().values()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise
            raise TapewatchError(
                f"Kafka does not show this user the settings of the topic {resource.name}.",
                "Allow it the operation DescribeConfigs on Tapewatch's topics.",
            ) from error
        settings[resource.name] = {entry.name: entry.value for entry in entries if entry.value is not None}
    states = {}
    for name in topics:
        partitions = metadata[name].partitions.values()
        replicas = min(len(partition.replicas) for partition in partitions)
        states[name] = TopicState(len(partitions), replicas, settings[name])
    validate_topics(states)


def check_same_partitions(admin: AdminClient, topics: list[str]) -> None:
    """Check the topics' numbers of partitions alone; see `check_partitions`.

    Raises
    ------
    KafkaException
        The broker does not answer.
    """
    metadata = _describe_topics(admin, topics)
    check_partitions({name: len(topic.partitions) for name, topic in metadata.items()})


def _describe_topics(admin: AdminClient, topics: list[str]) -> dict[str, TopicMetadata]:
    found = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    for name in topics:
        if name not in found:  # by a broker that is just starting
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        if found[name].error is not None:
            raise KafkaException(found[name].error)
    return {name: found[name] for name in topics}


def validate_topics(topics: Mapping[str, TopicState]) -> None:
    """Validate the topics that `check_topics` has described.

    Parameters
    ----------
    topics
        States by name. Settings that are missing from a state are not checked.

    Raises
    ------
    TapewatchError
        Names the first setting that would lose or repeat data.
    """
    check_partitions({name: topic.partitions for name, topic in topics.items()})
    for name, topic in topics.items():
        _validate_cleanup(name, topic.settings)
        _validate_retention(name, topic.settings)
        _validate_size(name, topics)
        _validate_replication(name, topic)


def check_partitions(counts: Mapping[str, int]) -> None:
    """Check that the topics which must have as many partitions as `trades` do.

    Parameters
    ----------
    counts
        Numbers of partitions by topic; topics that are missing, and others, do not count.

    Raises
    ------
    TapewatchError
        They differ.
    """
    same = {name: counts[name] for name in SAME_PARTITIONS if name in counts}
    if len(set(same.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in same.items())
        raise TapewatchError(
            f"Topics differ in their number of partitions ({listed}): a symbol's anomalies and checkpoints "
            "belong in the partition with the same number as its trades, and would be lost otherwise.",
            "Delete all of Tapewatch's topics, run `tapewatch setup`, and publish the files again.",
        )


def _validate_cleanup(name: str, settings: Mapping[str, str]) -> None:
    policy = settings.get("cleanup.policy")
    if policy is None:
        return
    if TOPICS[name]["cleanup.policy"] == "compact":
        if policy != "compact":
            raise _unsafe(name, "cleanup.policy", policy, f"{_LOST_IF_DELETED[name]}.", _BY_SETUP)
    elif "compact" in policy:
        lost = "all but the last message of each symbol would be dropped."
        raise _unsafe(name, "cleanup.policy", policy, lost, _BY_SETUP)


def _validate_retention(name: str, settings: Mapping[str, str]) -> None:
    retention_ms = int(settings.get("retention.ms", -1))  # -1: for ever
    if name in _READ_LATER and 0 <= retention_ms < SHORTEST_RETENTION_MS:
        lost = f"{name} that no service has read within that time would be lost (minimum: 1 hour)."
        raise _unsafe(name, "retention.ms", retention_ms, lost, _BY_SETUP)
    retention_bytes = int(settings.get("retention.bytes", -1))
    if name in _READ_LATER and 0 <= retention_bytes < LEAST_RETENTION_BYTES:
        lost = f"{name} beyond that size would be lost, read or not (minimum: {LEAST_RETENTION_BYTES})."
        raise _unsafe(name, "retention.bytes", retention_bytes, lost, _alter(name, "retention.bytes=-1"))


def _validate_size(name: str, topics: Mapping[str, TopicState]) -> None:
    largest = topics[name].settings.get("max.message.bytes")
    if largest is None:
        return
    least = int(TOPICS[name].get("max.message.bytes", 0))
    if int(largest) < least:
        lost = f"it would reject messages that Tapewatch allows, of up to {least} bytes."
        raise _unsafe(name, "max.message.bytes", largest, lost, _BY_SETUP)
    trades = topics[TRADES_TOPIC].settings.get("max.message.bytes") if TRADES_TOPIC in topics else None
    if trades and name in (ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC) and int(largest) < int(trades):
        lost = f"it could not hold the largest messages of {TRADES_TOPIC}, of up to {trades} bytes."
        raise _unsafe(name, "max.message.bytes", largest, lost, _BY_SETUP)


def _validate_replication(name: str, topic: TopicState) -> None:
    if topic.settings.get("unclean.leader.election.enable") == "true":
        lost = "a broker that lags behind could become the leader, and acknowledged messages would be lost."
        hint = _alter(name, "unclean.leader.election.enable=false")
        raise _unsafe(name, "unclean.leader.election.enable", "true", lost, hint)
    in_sync = topic.settings.get("min.insync.replicas")
    if topic.replicas > 1 and in_sync == "1":
        lost = f"one of its {topic.replicas} replicas alone may acknowledge a message, and lose it."
        raise _unsafe(name, "min.insync.replicas", 1, lost, _alter(name, "min.insync.replicas=2"))


def _unsafe(topic: str, setting: str, value: object, lost: str, hint: str) -> TapewatchError:
    return TapewatchError(f"The topic {topic} has {setting}={value}: {lost}", hint)


def _alter(topic: str, setting: str) -> str:
    command = f"kafka-configs.sh --bootstrap-server HOST:PORT --alter --topic {topic} --add-config {setting}"
    return f"Correct it: {command}"
