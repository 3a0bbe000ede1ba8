from pathlib import Path

import pytest

from infra.embedded.kafka_server import read_cluster_id
from infra.embedded.stack import StackConfig, check_count, server_names
from services.common.errors import TapewatchError


def test_servers_have_consecutive_ports_and_numbers_only_if_there_are_several() -> None:
    config = StackConfig(brokers=3, kafka_port=19092, elasticsearch_port=9200)
    assert list(config.kafka_ports) == [19092, 19093, 19094]
    assert list(config.elasticsearch_ports) == [9200]
    assert server_names("kafka", 3) == ["kafka-1", "kafka-2", "kafka-3"]
    assert server_names("kafka", 1) == ["kafka"]


def test_more_servers_may_take_longer_to_start() -> None:
    alone, several = StackConfig(), StackConfig(brokers=3, nodes=3)
    assert several.longest_start_s == 3 * alone.longest_start_s


@pytest.mark.parametrize(("made", "asked"), [(1, 3), (3, 1), (3, 5)])
def test_data_of_another_number_of_servers_is_refused_with_the_number(
    made: int, asked: int, tmp_path: Path
) -> None:
    for name in server_names("kafka", made):
        (tmp_path / name).mkdir()
    check_count(tmp_path, "kafka", server_names("kafka", made), "--brokers")
    with pytest.raises(TapewatchError, match=f"with --brokers {made}, not {asked}") as caught:
        check_count(tmp_path, "kafka", server_names("kafka", asked), "--brokers")
    assert f"--brokers {made}" in caught.value.hint


def test_the_clusters_id_is_read_from_a_broker_that_has_it(tmp_path: Path) -> None:
    assert read_cluster_id(tmp_path) is None
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\ncluster.id=abc_-1\nnode.id=2\n")
    assert read_cluster_id(tmp_path) == "abc_-1"
