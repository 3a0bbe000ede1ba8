from dataclasses import replace
from typing import Any

import pytest

from services.common.elastic.preflight import unsafe_setting
from services.common.errors import TapewatchError
from services.common.kafka.preflight import TopicState, validate_topics
from services.contracts.topics import TOPICS

KAFKAS_OWN = {
    "unclean.leader.election.enable": "false",
    "min.insync.replicas": "1",
    "max.message.bytes": "1048588",
    "retention.ms": "604800000",
}


def topics(name: str = "trades", replicas: int = 1, **changes: str) -> dict[str, TopicState]:
    """Return the topics as `tapewatch setup` makes them, one of them with other settings (`_` for `.`)."""
    states = {each: TopicState(6, replicas, KAFKAS_OWN | settings) for each, settings in TOPICS.items()}
    changed = {setting.replace("_", "."): value for setting, value in changes.items()}
    states[name] = replace(states[name], settings={**states[name].settings, **changed})
    return states


@pytest.mark.parametrize(
    "state",
    [
        topics(),
        topics("trades", retention_ms="-1"),
        topics("trades", retention_ms="3600000"),
        topics("trades", cleanup_policy=""),
        topics("dead-letters", retention_ms="1000"),
        topics("dead-letters", max_message_bytes="8000000"),
        topics("trades", max_message_bytes="2100000"),
    ],
)
def test_settings_that_keep_the_promise_are_accepted(state: dict[str, TopicState]) -> None:
    validate_topics(state)


def test_a_broker_that_lacks_some_settings_is_accepted() -> None:
    validate_topics({name: TopicState(6, 3, {}) for name in TOPICS})


def test_replicas_are_accepted_when_two_must_have_a_message() -> None:
    in_sync = {**KAFKAS_OWN, "min.insync.replicas": "2"}
    validate_topics({name: TopicState(6, 3, in_sync | settings) for name, settings in TOPICS.items()})


@pytest.mark.parametrize(
    ("name", "changes", "cause", "hint"),
    [
        ("trades", {"cleanup_policy": "compact"}, "all but the last message", "tapewatch setup"),
        ("trades", {"cleanup_policy": "compact,delete"}, "all but the last message", "tapewatch setup"),
        ("anomalies", {"cleanup_policy": "delete,compact"}, "all but the last message", "tapewatch setup"),
        ("dead-letters", {"cleanup_policy": "compact"}, "all but the last message", "tapewatch setup"),
        ("producer-progress", {"cleanup_policy": "delete"}, "published twice", "tapewatch setup"),
        ("producer-progress", {"cleanup_policy": "compact,delete"}, "published twice", "tapewatch setup"),
        ("detector-checkpoints", {"cleanup_policy": "delete"}, "the state to resume", "tapewatch setup"),
        ("trades", {"retention_ms": "3599999"}, "minimum: 1 hour", "tapewatch setup"),
        ("anomalies", {"retention_ms": "0"}, "minimum: 1 hour", "tapewatch setup"),
        ("trades", {"retention_bytes": "1000"}, "beyond that size would be lost", "retention.bytes=-1"),
        ("trades", {"max_message_bytes": "1048588"}, "up to 1100000", "tapewatch setup"),
        ("anomalies", {"max_message_bytes": "1048588"}, "up to 2100000", "tapewatch setup"),
        ("dead-letters", {"max_message_bytes": "2000000"}, "up to 2100000", "tapewatch setup"),
        ("detector-checkpoints", {"max_message_bytes": "1048588"}, "up to 2000000", "tapewatch setup"),
    ]
    + [
        (
            name,
            {"unclean_leader_election_enable": "true"},
            "could become the leader",
            f"--alter --topic {name} ",
        )
        for name in TOPICS
    ],
)
def test_a_setting_that_breaks_the_promise_is_reported(
    name: str, changes: dict[str, Any], cause: str, hint: str
) -> None:
    with pytest.raises(TapewatchError) as caught:
        validate_topics(topics(name, **changes))
    ((setting, value),) = changes.items()
    assert caught.value.cause.startswith(f"The topic {name} has {setting.replace('_', '.')}={value}: ")
    assert cause in caught.value.cause
    assert hint in caught.value.hint


def test_topics_that_must_hold_any_trade_may_not_hold_less_than_trades() -> None:
    with pytest.raises(
        TapewatchError, match=r"anomalies has max.message.bytes=2100000: .* of up to 5000000 bytes"
    ):
        validate_topics(topics("trades", max_message_bytes="5000000"))


def test_settings_under_which_a_replica_may_lose_messages_are_reported() -> None:
    with pytest.raises(TapewatchError, match=r"min.insync.replicas=1: one of its 3 replicas") as caught:
        validate_topics(topics(replicas=3))
    assert "--topic trades --add-config min.insync.replicas=2" in caught.value.hint


@pytest.mark.parametrize("name", ["trades", "anomalies", "detector-checkpoints"])
def test_different_numbers_of_partitions_are_reported(name: str) -> None:
    states = topics()
    states[name] = replace(states[name], partitions=3)
    with pytest.raises(TapewatchError, match=f"number of partitions .*{name} has 3"):
        validate_topics(states)


def test_topics_of_no_trades_partition_may_have_any_number() -> None:
    states = topics()
    for name in ("dead-letters", "producer-progress"):
        states[name] = replace(states[name], partitions=1)
    validate_topics(states)


def test_only_the_topics_that_a_service_uses_are_judged() -> None:
    states = topics("detector-checkpoints", cleanup_policy="delete")
    validate_topics({name: states[name] for name in ("trades", "dead-letters", "producer-progress")})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, None),
        ({"index.translog.durability": "REQUEST", "index.blocks.write": "false"}, None),
        ({"index.blocks.read_only_allow_delete": "true"}, None),
        ({"index.translog.durability": "ASYNC"}, "index.translog.durability=async: acknowledged documents"),
        ({"index.blocks.write": "true"}, "index.blocks.write=true: it would reject"),
        ({"index.blocks.read_only": "true"}, "index.blocks.read_only=true: it would reject"),
    ],
)
def test_index_settings_are_judged(settings: dict[str, str], told: str | None) -> None:
    unsafe = unsafe_setting(settings)
    if told is None:
        assert unsafe is None
    else:
        assert unsafe is not None
        assert unsafe[0] in settings
        assert unsafe[1].startswith(told)
