"""Three brokers and three nodes: what setup spreads over them, and what it refuses."""

import json
from collections.abc import Iterator

import pytest

from infra.embedded.ports import first_of_free_ports
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.kafka.clients import new_admin
from services.contracts.topics import TOPICS
from tests.integration.pipeline import tapewatch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LAYOUT = {
    "TAPEWATCH_REPLICATION": "3",
    "TAPEWATCH_MIN_INSYNC_REPLICAS": "2",
    "TAPEWATCH_SHARDS": "3",
    "TAPEWATCH_REPLICAS": "1",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    config = StackConfig(
        data_dir=tmp_path_factory.mktemp("cluster"),
        brokers=3,
        nodes=3,
        kafka_port=first_of_free_ports(3),
        elasticsearch_port=first_of_free_ports(3),
    )
    with EmbeddedStack(config) as running:
        yield running


def test_setup_spreads_topics_and_indices_and_refuses_another_layout(cluster: EmbeddedStack) -> None:
    first = tapewatch(cluster, "setup", env=LAYOUT)
    said = [json.loads(line)["event"] for line in first.stderr.splitlines() if line.startswith("{")]
    assert [text.partition(" ")[0] for text in said if "about to" in text] == ["topics", "each"]
    topics = new_admin(cluster.kafka_connection).list_topics(timeout=30).topics
    assert {len(part.replicas) for name in TOPICS for part in topics[name].partitions.values()} == {3}
    assert tapewatch(cluster, "setup", env=LAYOUT).stdout == "everything is set up already\n"
    for variable, cause in (
        ("REPLICATION", "other numbers of replicas"),
        ("PARTITIONS", "cannot be changed"),
    ):
        refused = tapewatch(cluster, "setup", env=LAYOUT | {f"TAPEWATCH_{variable}": "2"}, code=1)
        assert cause in refused.stderr
    refused = tapewatch(cluster, "setup", env=LAYOUT | {"TAPEWATCH_REPLICAS": "3"}, code=1)
    assert "has 3 data nodes" in refused.stderr
