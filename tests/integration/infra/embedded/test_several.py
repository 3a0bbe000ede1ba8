"""Three brokers and three nodes: what setup spreads over them stays there while one of each is away."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.ports import first_of_free_ports
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import new_client
from services.common.kafka.clients import new_admin
from services.contracts.indices import TRADES_INDICES
from services.contracts.topics import TOPICS
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import catch_up, tapewatch, write_own_day

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


def test_the_pipeline_runs_while_a_broker_and_a_node_are_away(cluster: EmbeddedStack, tmp_path: Path) -> None:
    tapewatch(cluster, "setup", env=LAYOUT)
    day = write_own_day(tmp_path / "day.csv", DayConfig(trades=2_000), "3")
    cluster.brokers[1].kill()
    cluster.nodes[0].kill()
    try:
        tapewatch(cluster, "produce", str(day))
        catch_up(cluster)
        with new_client(cluster.elasticsearch_url) as client:
            client.indices.refresh(index=TRADES_INDICES)
            settings = client.indices.get_settings(index=TRADES_INDICES, flat_settings=True)
            count = client.count(index=TRADES_INDICES)["count"]
    finally:
        for server in (cluster.brokers[1], cluster.nodes[0]):
            server.start()
    assert count == len(day.read_text().splitlines()) - 1
    layouts = {
        (one["settings"]["index.number_of_shards"], one["settings"]["index.number_of_replicas"])
        for one in settings.values()
    }
    assert layouts == {("3", "1")}
