"""Strimzi's resources for topics and users, made from the contract and the rights that services have."""

from typing import Any

from confluent_kafka.admin import AclBinding, AclOperation, ResourcePatternType, ResourceType

from infra.setup.kafka_access import USERS, rights
from services.contracts.topics import ONE_PARTITION, TOPICS

API = "kafka.strimzi.io/v1"
CLUSTER = "tapewatch"
NAMESPACE = "tapewatch"
ADMIN = "tapewatch-admin"
"""Who `tapewatch setup` logs in as; one of the brokers' superusers."""

PARTITIONS = 48
"""Of topics that may have several: what docs/scaling.md plans for the whole US tape."""

REPLICAS = 3
MIN_IN_SYNC = 2

_KINDS = {
    ResourceType.TOPIC: "topic",
    ResourceType.GROUP: "group",
    ResourceType.TRANSACTIONAL_ID: "transactionalId",
    ResourceType.BROKER: "cluster",
}
_OPERATIONS = {
    AclOperation.READ: "Read",
    AclOperation.WRITE: "Write",
    AclOperation.DESCRIBE: "Describe",
    AclOperation.DESCRIBE_CONFIGS: "DescribeConfigs",
    AclOperation.IDEMPOTENT_WRITE: "IdempotentWrite",
}

Resource = dict[str, Any]


def topic_resources() -> list[Resource]:
    """Return a `KafkaTopic` for each topic, as `tapewatch setup` would create it."""
    return [
        {
            **_head("KafkaTopic", name),
            "spec": {
                "partitions": 1 if name in ONE_PARTITION else PARTITIONS,
                "replicas": REPLICAS,
                "config": {**settings, "min.insync.replicas": str(MIN_IN_SYNC)},
            },
        }
        for name, settings in TOPICS.items()
    ]


def user_resources() -> list[Resource]:
    """Return a `KafkaUser` for the admin, and for each user with the rights that setup would give."""
    login = {"authentication": {"type": "scram-sha-512"}}
    return [
        {**_head("KafkaUser", ADMIN), "spec": login},
        *(
            {
                **_head("KafkaUser", user),
                "spec": {**login, "authorization": {"type": "simple", "acls": _acls(rights(user))}},
            }
            for user in USERS
        ),
    ]


def _head(kind: str, name: str) -> Resource:
    labels = {"strimzi.io/cluster": CLUSTER, "app.kubernetes.io/part-of": "tapewatch"}
    return {
        "apiVersion": API,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
    }


def _acls(bindings: set[AclBinding]) -> list[Resource]:
    """Return rights in a fixed order, those on one resource together."""
    operations: dict[tuple[str, str, str], list[str]] = {}
    for one in bindings:
        pattern = "prefix" if one.resource_pattern_type is ResourcePatternType.PREFIXED else "literal"
        key = (_KINDS[ResourceType(one.restype)], one.name, pattern)
        operations.setdefault(key, []).append(_OPERATIONS[AclOperation(one.operation)])
    return [
        {"resource": _resource(*key), "operations": sorted(found)}
        for key, found in sorted(operations.items())
    ]


def _resource(kind: str, name: str, pattern: str) -> Resource:
    return {"type": kind} if kind == "cluster" else {"type": kind, "name": name, "patternType": pattern}
