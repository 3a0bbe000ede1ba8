import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from infra.doctor.checks import check_templates
from infra.embedded.stack import EmbeddedStack
from infra.setup.templates import set_up_templates
from infra.setup.topics import set_up_topics
from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.mappings import AUTO_CREATE
from services.common.elastic.preflight import check_indices
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.common.kafka.preflight import check_topics
from services.common.process.background import in_background
from services.contracts.topics import TOPICS
from services.indexer.sinks.elasticsearch.bulk import BulkSender
from services.indexer.sinks.elasticsearch.documents import to_document
from tests.samples import kafka_record, trade_json
from tests.stops import AskedFor

TIMEOUT_S = 20.0


@pytest.fixture
def admin(stack: EmbeddedStack) -> AdminClient:
    admin = new_admin(stack.kafka_connection)
    set_up_topics(admin)
    return admin


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as client:
        set_up_templates(client)
        yield client


@contextmanager
def altered(admin: AdminClient, topic: str, setting: str, value: str) -> Iterator[None]:
    """Change a topic's setting until the end of the block."""

    def alter(kind: AlterConfigOpType, to: str | None) -> None:
        entry = ConfigEntry(setting, to, incremental_operation=kind)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        for done in admin.incremental_alter_configs([resource]).values():
            done.result()

    alter(AlterConfigOpType.SET, value)
    try:
        yield
    finally:
        before = TOPICS[topic].get(setting)
        alter(AlterConfigOpType.SET if before else AlterConfigOpType.DELETE, before)
        eventually_accepted(lambda: check_topics(admin, [topic]))


def eventually_rejected(check: Callable[[], None]) -> TapewatchError:
    """Repeat a check until it fails; the broker applies a change shortly after acknowledging it."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            check()
        except TapewatchError as error:
            return error
        time.sleep(0.05)
    raise AssertionError("the check kept accepting")


def eventually_accepted(check: Callable[[], None]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return check()
        except TapewatchError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def test_topics_as_setup_makes_them_are_accepted(admin: AdminClient) -> None:
    eventually_accepted(lambda: check_topics(admin, list(TOPICS)))


def test_what_setup_does_not_set_is_rejected_with_a_command(admin: AdminClient) -> None:
    with altered(admin, "trades", "unclean.leader.election.enable", "true"):
        error = eventually_rejected(lambda: check_topics(admin, list(TOPICS)))
    assert "The topic trades has unclean.leader.election.enable=true: " in error.cause
    assert "--topic trades --add-config unclean.leader.election.enable=false" in error.hint


def test_what_setup_sets_is_rejected_until_setup_has_run_again(admin: AdminClient) -> None:
    with altered(admin, "producer-progress", "cleanup.policy", "compact,delete"):
        error = eventually_rejected(lambda: check_topics(admin, list(TOPICS)))
        assert "The topic producer-progress has cleanup.policy=compact,delete: " in error.cause
        assert "tapewatch setup" in error.hint
        set_up_topics(admin)
        eventually_accepted(lambda: check_topics(admin, list(TOPICS)))


@pytest.mark.parametrize("index", ["trades-1999.12.31", "anomalies-1999.12"])
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("index.translog.durability", "async"),
        ("index.blocks.write", "true"),
        ("index.blocks.read_only", "true"),
    ],
)
def test_an_index_is_rejected_until_it_is_fixed(
    index: str, setting: str, value: str, client: Elasticsearch
) -> None:
    client.indices.create(index=index)
    try:
        check_indices(client)
        client.indices.put_settings(index=index, settings={setting: value})
        with pytest.raises(TapewatchError) as caught:
            check_indices(client)
        assert caught.value.cause.startswith(f"The index {index} has {setting}={value}: ")
        assert caught.value.hint == f'Set it back: PUT /{index}/_settings {{"{setting}": null}}'
    finally:
        client.indices.put_settings(index=index, settings={setting: None})
        check_indices(client)
        client.indices.delete(index=index)


@pytest.mark.parametrize("prefix", ["trades-", "anomalies-"])
def test_a_template_for_indices_to_come_is_rejected(prefix: str, client: Elasticsearch) -> None:
    name = "tapewatch-test-of-durability"
    client.indices.put_index_template(
        name=name,
        index_patterns=[f"{prefix}*"],
        priority=1_000,
        template={"settings": {"index": {"translog": {"durability": "async"}}}},
    )
    try:
        with pytest.raises(TapewatchError, match=rf"new index {prefix}\S+ index.translog.durability=async: "):
            check_indices(client)
    finally:
        client.indices.delete_index_template(name=name)
    check_indices(client)


@pytest.fixture
def catch_all(client: Elasticsearch) -> Iterator[str]:
    """A template of others, as some clusters have: for every index, with smaller numbers and text."""
    name = "everything"
    client.indices.put_index_template(
        name=name,
        index_patterns=["*"],
        priority=1_000,
        template={
            "mappings": {
                "dynamic_templates": [
                    {"numbers": {"match_mapping_type": "double", "mapping": {"type": "float"}}}
                ],
                "properties": {"price": {"type": "float"}, "symbol": {"type": "text"}},
            }
        },
    )
    yield name
    client.indices.delete_index_template(name=name)


def test_a_template_of_others_that_changes_types_is_named_with_the_fix(
    client: Elasticsearch, catch_all: str
) -> None:
    with pytest.raises(TapewatchError) as caught:
        check_indices(client)
    assert caught.value.cause.startswith(f"The index template {catch_all} (priority 1000) would give a new")
    assert "symbol as text, not keyword; price as float, not double" in caught.value.cause
    assert f"Give {catch_all} a lower priority" in caught.value.hint
    assert check_templates(client).finding == caught.value.cause
    client.indices.put_index_template(
        name=catch_all, index_patterns=["*"], priority=400, template={"mappings": {"dynamic": "true"}}
    )
    check_indices(client)


@contextmanager
def auto_create(client: Elasticsearch, value: str) -> Iterator[None]:
    client.cluster.put_settings(persistent={AUTO_CREATE: value})
    try:
        yield
    finally:
        client.cluster.put_settings(persistent={AUTO_CREATE: None})


@pytest.mark.parametrize("setting", ["false", "-trades-*,+*"])
def test_a_cluster_that_creates_no_index_is_named_and_documents_wait_for_it(
    client: Elasticsearch, setting: str
) -> None:
    assert check_templates(client).hint == ""
    index = "trades-1998.11.30"
    value = trade_json(**{"@timestamp": "1998-11-30T15:00:00.000000001Z"})
    document = to_document(kafka_record("trades", value=value))
    with auto_create(client, setting):
        found = check_templates(client)
        assert f"{AUTO_CREATE} keeps documents from creating the index trades-" in found.finding
        sent = in_background(BulkSender(client, AskedFor()).send, [document], lambda: True)
        time.sleep(1.0)
        assert not sent.done()
    assert sent.result(30) == []
    client.indices.delete(index=index)
