"""Kafka's users, each with no more rights than its service needs; the broker asks for a login and ACLs."""

from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from infra.setup.passwords import given_passwords
from services.common.errors import TapewatchError
from services.common.kafka.clients import READS_ONLY
from services.contracts.components import ALERTER, DETECTOR, SENDER_GROUP
from services.contracts.sinks import SINKS
from services.contracts.topics import (
    ALERT_DELIVERIES_TOPIC,
    ALERTER_CHECKPOINTS_TOPIC,
    ALERTS_TOPIC,
    ANOMALIES_TOPIC,
    CHECKPOINTS_TOPIC,
    CORRECTIONS_TOPIC,
    DEAD_LETTERS_TOPIC,
    FEED_EVENTS_TOPIC,
    INDEXED,
    PROFILES_TOPIC,
    PROGRESS_TOPIC,
    SILENCES_TOPIC,
    TOPICS,
    TRADES_TOPIC,
)

TIMEOUT_S = 30.0
ITERATIONS = 4096
"""How often SCRAM hashes a password; more slow down guessing, which random ones need not fear."""

_PREFIX = "tapewatch-"
_CLUSTER = "kafka-cluster"


@dataclass(frozen=True)
class KafkaUser:
    """What one user may do; who may read or write a topic may also see its settings.

    Parameters
    ----------
    reads, writes
        Topics.
    groups
        Consumer groups that it joins.
    transactions
        What its transactional ids begin with.
    writes_plainly
        Whether it also writes without a transaction.
    sees_groups
        What the names of the groups begin with of which it may ask how far they have read; empty for none.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    transactions: tuple[str, ...] = ()
    writes_plainly: bool = False
    sees_groups: str = ""


USERS = {
    "tapewatch-producer": KafkaUser(
        reads=(PROGRESS_TOPIC,),
        writes=(TRADES_TOPIC, DEAD_LETTERS_TOPIC, PROGRESS_TOPIC),
        transactions=(f"{_PREFIX}producer-",),
    ),
    "tapewatch-feed": KafkaUser(
        reads=(PROGRESS_TOPIC,),
        writes=(TRADES_TOPIC, CORRECTIONS_TOPIC, FEED_EVENTS_TOPIC, DEAD_LETTERS_TOPIC, PROGRESS_TOPIC),
        transactions=(f"{_PREFIX}feed-",),
    ),
    "tapewatch-detector": KafkaUser(
        reads=(TRADES_TOPIC, ANOMALIES_TOPIC, CHECKPOINTS_TOPIC),
        writes=(ANOMALIES_TOPIC, DEAD_LETTERS_TOPIC, CHECKPOINTS_TOPIC, FEED_EVENTS_TOPIC, PROFILES_TOPIC),
        groups=(DETECTOR.group,),
        transactions=(f"{DETECTOR.group}-",),
    ),
    "tapewatch-alerter": KafkaUser(
        reads=(
            ANOMALIES_TOPIC,
            CORRECTIONS_TOPIC,
            TRADES_TOPIC,
            ALERTS_TOPIC,
            ALERT_DELIVERIES_TOPIC,
            SILENCES_TOPIC,
            ALERTER_CHECKPOINTS_TOPIC,
        ),
        writes=(ALERTS_TOPIC, ALERT_DELIVERIES_TOPIC, ALERTER_CHECKPOINTS_TOPIC, DEAD_LETTERS_TOPIC),
        groups=(ALERTER.group, SENDER_GROUP),
        transactions=(f"{ALERTER.group}-", f"{SENDER_GROUP}-"),
        # The detectors' offsets carry the tape's clock.
        sees_groups=DETECTOR.group,
    ),
    "tapewatch-indexer": KafkaUser(
        reads=INDEXED,
        writes=(DEAD_LETTERS_TOPIC,),
        groups=tuple(spec.component.group for spec in SINKS.values()),
        writes_plainly=True,
    ),
    "tapewatch-reader": KafkaUser(reads=tuple(TOPICS), sees_groups=_PREFIX),
    "tapewatch-operator": KafkaUser(
        reads=(SILENCES_TOPIC, ALERT_DELIVERIES_TOPIC), writes=(SILENCES_TOPIC,), writes_plainly=True
    ),
}
"""For the services, and two for people: one who looks, and one who silences alerts."""


def rights(user: str) -> set[AclBinding]:
    """Return a user's ACLs; to describe is part of every other operation."""
    given = USERS[user]
    literal, prefixed = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    wanted = [(ResourceType.TOPIC, topic, literal, AclOperation.READ) for topic in given.reads]
    wanted += [(ResourceType.TOPIC, topic, literal, AclOperation.WRITE) for topic in given.writes]
    wanted += [
        (ResourceType.TOPIC, topic, literal, AclOperation.DESCRIBE_CONFIGS)
        for topic in {*given.reads, *given.writes}
    ]
    wanted.append((ResourceType.GROUP, READS_ONLY, literal, AclOperation.DESCRIBE))
    wanted += [(ResourceType.GROUP, group, literal, AclOperation.READ) for group in given.groups]
    wanted += [
        (ResourceType.TRANSACTIONAL_ID, one, prefixed, AclOperation.WRITE) for one in given.transactions
    ]
    if given.writes_plainly:
        wanted.append((ResourceType.BROKER, _CLUSTER, literal, AclOperation.IDEMPOTENT_WRITE))
    if given.sees_groups:
        wanted.append((ResourceType.GROUP, given.sees_groups, prefixed, AclOperation.DESCRIBE))
    return {
        AclBinding(kind, name, pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)
        for kind, name, pattern, operation in wanted
    }


def set_up_kafka_access(admin: AdminClient, folder: Path | None) -> list[str]:
    """Make users whose password is given have it, and their rights; returns one line for each change.

    A password is set again without a line: the broker does not tell what it is.

    Parameters
    ----------
    admin
        A client of the cluster, whose user is one of the broker's superusers.
    folder
        Has `USER.password` for each user to set up; None for no user.

    Raises
    ------
    TapewatchError
        A file is empty or cannot be read, or the broker rejected the request.
    """
    if folder is None:
        return []
    passwords = given_passwords(folder, USERS, "TAPEWATCH_KAFKA_SECRETS_DIR")
    changes = []
    try:
        for user, password in passwords.items():
            _set_password(admin, user, password)
            found = _rights_of(admin, user)
            if found != rights(user):
                _set_rights(admin, found, rights(user))
                changes.append(
                    f"changed the rights of Kafka's user {user}" if found else f"created Kafka's user {user}"
                )
    except KafkaException as error:
        raise TapewatchError(
            f"Kafka rejected the setup of its users: {error.args[0].str()}.",
            "Set TAPEWATCH_KAFKA_USER to one of the broker's superusers, and check that the broker has an "
            "authorizer.",
        ) from error
    return changes


def _set_password(admin: AdminClient, user: str, password: str) -> None:
    hashed = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS)
    change = UserScramCredentialUpsertion(user, hashed, password.encode())
    for future in admin.alter_user_scram_credentials([change], request_timeout=TIMEOUT_S).values():
        future.result()


def _set_rights(admin: AdminClient, found: set[AclBinding], wanted: set[AclBinding]) -> None:
    """Give what is missing, and take what is too much."""
    if missing := wanted - found:
        for created in admin.create_acls(list(missing), request_timeout=TIMEOUT_S).values():
            created.result()
    if excess := found - wanted:
        filters = [
            AclBindingFilter(
                one.restype,
                one.name,
                one.resource_pattern_type,
                one.principal,
                one.host,
                one.operation,
                one.permission_type,
            )
            for one in excess
        ]
        for deleted in admin.delete_acls(filters, request_timeout=TIMEOUT_S).values():
            deleted.result()


def _rights_of(admin: AdminClient, user: str) -> set[AclBinding]:
    every = AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type] # any; its types leave that out
        ResourcePatternType.ANY,
        f"User:{user}",
        None,  # type: ignore[arg-type]
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    return set(admin.describe_acls(every, request_timeout=TIMEOUT_S).result())
