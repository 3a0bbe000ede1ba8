"""Refuses settings of topics and indices under which the services would lose or repeat data."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource

from infra.topics import TOPICS
from services.common.contracts import (
    ANOMALIES_INDEX_PREFIX,
    ANOMALIES_TOPIC,
    CHECKPOINTS_TOPIC,
    DEAD_LETTERS_TOPIC,
    PROGRESS_TOPIC,
    TRADES_INDEX_PREFIX,
    TRADES_TOPIC,
)
from services.common.errors import TapewatchError
from services.common.health import Health
from services.common.kafka import REQUEST_TIMEOUT_S, new_admin, wait_for_topics
from services.common.stops import Stop
from services.common.waiting import wait_until

if TYPE_CHECKING:  # only the indexer's container has this package
    from elasticsearch import Elasticsearch

SHORTEST_RETENTION_MS = 3_600_000
"""A service that is down for less than that loses nothing."""

LEAST_RETENTION_BYTES = 1 << 30
"""Of a partition; some million trades, which a service that is down for a day may have to catch up on."""

_BY_SETUP = "Run `tapewatch setup` to set it right."
_SAME_PARTITIONS = (TRADES_TOPIC, ANOMALIES_TOPIC, CHECKPOINTS_TOPIC)
_LOST_IF_DELETED = {
    CHECKPOINTS_TOPIC: "the state to resume from would be forgotten, and anomalies missed or changed",
    PROGRESS_TOPIC: "how far a file was published would be forgotten, and its trades published twice",
}


@dataclass(frozen=True)
class TopicState:
    """One topic as the broker describes it."""

    partitions: int
    replicas: int
    """Of the partition that has the fewest."""
    settings: Mapping[str, str]
    """Those in force, inherited ones included; some brokers do not have all of Kafka's."""


def wait_for_safe_topics(bootstrap: str, topics: list[str], stop: Stop, health: Health) -> bool:
    """Wait for the broker, then check that the topics are there and keep what the services promise.

    Parameters
    ----------
    bootstrap
        Where Kafka is.
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
        A topic is missing, or see `check_topics`.
    """
    health.detail = kafka = f"Kafka at {bootstrap}"
    if not wait_for_topics(bootstrap, topics, stop, health.beat):
        return False
    admin = new_admin(bootstrap)
    return wait_until(lambda: check_topics(admin, topics), KafkaException, kafka, stop, health.beat)


def check_topics(admin: AdminClient, topics: list[str]) -> None:
    """Check that no topic's settings break what the services promise.

    Parameters
    ----------
    admin
        A client of the cluster.
    topics
        Names from the contract that exist; only these are asked for and compared.

    Raises
    ------
    TapewatchError
        A setting would lose or repeat data, or the broker does not show the settings to this user.
    KafkaException
        The broker does not answer.
    """
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
    found = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    states = {}
    for name in topics:
        if name not in found:  # by a broker that is just starting
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        if found[name].error is not None:
            raise KafkaException(found[name].error)
        partitions = found[name].partitions.values()
        replicas = min(len(partition.replicas) for partition in partitions)
        states[name] = TopicState(len(partitions), replicas, settings[name])
    judge_topics(states)


def judge_topics(topics: Mapping[str, TopicState]) -> None:
    """Do the judging of `check_topics`.

    Parameters
    ----------
    topics
        States by name. What a state lacks is not judged.

    Raises
    ------
    TapewatchError
        Names the first setting that would lose or repeat data.
    """
    counts = {name: topics[name].partitions for name in _SAME_PARTITIONS if name in topics}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise TapewatchError(
            f"Topics differ in their number of partitions ({listed}): a symbol's anomalies and checkpoints "
            "belong in the partition of the number that its trades are in, and would be lost without it.",
            "Delete all of Tapewatch's topics, run `tapewatch setup`, and publish the files again.",
        )
    for name, topic in topics.items():
        _judge_cleanup(name, topic.settings)
        _judge_retention(name, topic.settings)
        _judge_size(name, topics)
        _judge_replication(name, topic)


def _judge_cleanup(name: str, settings: Mapping[str, str]) -> None:
    policy = settings.get("cleanup.policy")
    if policy is None:
        return
    if TOPICS[name]["cleanup.policy"] == "compact":
        if policy != "compact":
            raise _refusal(name, "cleanup.policy", policy, f"{_LOST_IF_DELETED[name]}.", _BY_SETUP)
    elif "compact" in policy:
        lost = "of each symbol all messages but the last would be dropped."
        raise _refusal(name, "cleanup.policy", policy, lost, _BY_SETUP)


def _judge_retention(name: str, settings: Mapping[str, str]) -> None:
    retention_ms = int(settings.get("retention.ms", -1))  # -1: for ever
    if name in (TRADES_TOPIC, ANOMALIES_TOPIC) and 0 <= retention_ms < SHORTEST_RETENTION_MS:
        lost = f"{name} that no service has read within that time would be lost (1 hour is the least)."
        raise _refusal(name, "retention.ms", retention_ms, lost, _BY_SETUP)
    retention_bytes = int(settings.get("retention.bytes", -1))
    if name in (TRADES_TOPIC, ANOMALIES_TOPIC) and 0 <= retention_bytes < LEAST_RETENTION_BYTES:
        lost = f"{name} beyond that size would be lost, read or not ({LEAST_RETENTION_BYTES} is the least)."
        raise _refusal(name, "retention.bytes", retention_bytes, lost, _alter(name, "retention.bytes=-1"))


def _judge_size(name: str, topics: Mapping[str, TopicState]) -> None:
    largest = topics[name].settings.get("max.message.bytes")
    if largest is None:
        return
    least = int(TOPICS[name].get("max.message.bytes", 0))
    if int(largest) < least:
        lost = f"it would refuse messages that Tapewatch allows, which take up to {least}."
        raise _refusal(name, "max.message.bytes", largest, lost, _BY_SETUP)
    trades = topics[TRADES_TOPIC].settings.get("max.message.bytes") if TRADES_TOPIC in topics else None
    if trades and name in (ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC) and int(largest) < int(trades):
        lost = f"it could not hold the largest that {TRADES_TOPIC} holds, which may have {trades}."
        raise _refusal(name, "max.message.bytes", largest, lost, _BY_SETUP)


def _judge_replication(name: str, topic: TopicState) -> None:
    if topic.settings.get("unclean.leader.election.enable") == "true":
        lost = "a broker that lags behind could take over, and acknowledged messages be lost."
        mend = _alter(name, "unclean.leader.election.enable=false")
        raise _refusal(name, "unclean.leader.election.enable", "true", lost, mend)
    in_sync = topic.settings.get("min.insync.replicas")
    if topic.replicas > 1 and in_sync == "1":
        lost = f"one of its {topic.replicas} replicas alone may acknowledge a message, and lose it."
        raise _refusal(name, "min.insync.replicas", 1, lost, _alter(name, "min.insync.replicas=2"))


def _refusal(topic: str, setting: str, value: object, lost: str, mend: str) -> TapewatchError:
    return TapewatchError(f"The topic {topic} has {setting}={value}: {lost}", mend)


def _alter(topic: str, setting: str) -> str:
    command = f"kafka-configs.sh --bootstrap-server HOST:PORT --alter --topic {topic} --add-config {setting}"
    return f"Set it right: {command}"


# index.blocks.read_only_allow_delete is none of these: a full disk sets it, and a freed one takes it away.
_UNSAFE = {
    "index.translog.durability": ("async", "acknowledged documents would be lost in a crash."),
    "index.blocks.write": ("true", "it would refuse every document."),
    "index.blocks.read_only": ("true", "it would refuse every document."),
}
"""By an index's setting: the value that is refused, and what it would do."""


def check_indices(client: "Elasticsearch") -> None:
    """Check that neither the indices nor those to come have settings that break what is promised.

    Parameters
    ----------
    client
        A client of the cluster; its errors are passed on.

    Raises
    ------
    TapewatchError
        A setting would lose documents or keep them out.
    """
    patterns = [f"{TRADES_INDEX_PREFIX}*", f"{ANOMALIES_INDEX_PREFIX}*"]
    found = client.indices.get_settings(index=patterns, name=list(_UNSAFE), flat_settings=True)
    for index, answer in found.items():
        if unsafe := unsafe_setting(answer["settings"]):
            setting, effect = unsafe
            raise TapewatchError(
                f"The index {index} has {effect}",
                f'Set it back: PUT /{index}/_settings {{"{setting}": null}}',
            )
    now = dt.datetime.now(dt.UTC)
    for index in (f"{TRADES_INDEX_PREFIX}{now:%Y.%m.%d}", f"{ANOMALIES_INDEX_PREFIX}{now:%Y.%m}"):
        composed = client.indices.simulate_index_template(name=index)["template"]
        if unsafe := unsafe_setting(_flat(composed.get("settings", {}))):
            setting, effect = unsafe
            raise TapewatchError(
                f"The index templates give a new index {index} {effect}",
                f"Take {setting} out of them; GET /_index_template lists them.",
            )


def unsafe_setting(settings: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the first refused setting of an index with what it would do, or None.

    Parameters
    ----------
    settings
        By full name.
    """
    for setting, (refused, lost) in _UNSAFE.items():
        if settings.get(setting, "").lower() == refused:
            return setting, f"{setting}={refused}: {lost}"
    return None


def _flat(settings: Mapping[str, object], parent: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{parent}{key}.")
        else:
            flat[f"{parent}{key}"] = str(value)
    return flat
