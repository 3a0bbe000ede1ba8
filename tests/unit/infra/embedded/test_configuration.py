import json
from pathlib import Path

import pytest

from infra.embedded.elasticsearch_server import Peers, elasticsearch_yml
from infra.embedded.kafka_server import Listener, fencing_properties, kafka_properties


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_kafka_listens_on_loopback_only() -> None:
    found = properties(kafka_properties(19092, {1: 20001}, Path("/data/kafka")))
    assert found["listeners"] == "BROKER://127.0.0.1:19092,CONTROLLER://127.0.0.1:20001"
    assert found["advertised.listeners"] == "BROKER://127.0.0.1:19092"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:20001"


def test_kafka_is_one_node_that_takes_large_messages_and_makes_no_topic_by_itself() -> None:
    found = properties(kafka_properties(19092, {1: 20001}, Path("/data/kafka")))
    assert found["process.roles"] == "broker,controller"
    assert {value for key, value in found.items() if key.endswith("replication.factor")} == {"1"}
    assert found["auto.create.topics.enable"] == "false"
    assert int(found["message.max.bytes"]) > 2_000_000
    assert found["log.dirs"] == "/data/kafka"


def test_the_fencing_controller_is_the_same_node_on_the_same_data_and_serves_nobody() -> None:
    ours = properties(kafka_properties(19092, {1: 20001}, Path("/data/Müller")))
    found = properties(fencing_properties(20002, Path("/data/Müller")))
    for name in ("node.id", "log.dirs", "controller.listener.names"):
        assert found[name] == ours[name]
    assert found["process.roles"] == "controller"
    assert found["listeners"] == "CONTROLLER://127.0.0.1:20002"
    session_ms = int(found["broker.session.timeout.ms"])
    assert 2 * int(found["broker.heartbeat.interval.ms"]) <= session_ms <= 1_000


def test_kafka_has_further_ports_only_if_they_are_asked_for() -> None:
    plain = properties(kafka_properties(19092, {1: 20001}, Path("/data/kafka")))
    assert plain["listener.security.protocol.map"] == "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"
    tls = Listener("TLS", 19093, "SSL", {"ssl.keystore.type": "PEM"})
    found = properties(kafka_properties(19092, {1: 20001}, Path("/data/kafka"), [tls]))
    assert found["listener.security.protocol.map"] == "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL"
    assert found["advertised.listeners"] == "BROKER://127.0.0.1:19092,TLS://127.0.0.1:19093"
    assert found["listeners"] == f"{found['advertised.listeners']},CONTROLLER://127.0.0.1:20001"
    assert found["listener.name.tls.ssl.keystore.type"] == "PEM"


def test_kafka_has_further_settings_only_if_they_are_asked_for() -> None:
    given = {"super.users": "User:ANONYMOUS;User:admin"}
    plain = properties(kafka_properties(19092, {1: 20001}, Path("/data/kafka")))
    found = properties(kafka_properties(19092, {1: 20001}, Path("/data/kafka"), settings=given))
    assert found == plain | given


def test_kafka_path_is_escaped() -> None:
    assert "log.dirs=/data/M\\u00fcller\n" in kafka_properties(19092, {1: 20001}, Path("/data/Müller"))


def test_elasticsearch_listens_on_loopback_and_never_turns_read_only() -> None:
    text = elasticsearch_yml(9200, Path('/da"ta'), Path("/logs"))
    found = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in text.splitlines())}
    assert found["network.host"] == "127.0.0.1"
    assert found["http.port"] == 9200
    assert found["discovery.type"] == "single-node"
    assert found["path.data"] == '/da"ta'
    assert found["cluster.routing.allocation.disk.threshold_enabled"] is False


@pytest.mark.parametrize(
    ("brokers", "replicas", "in_sync"), [(1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (5, "3", "2")]
)
def test_with_three_brokers_one_may_be_away_without_a_message_at_risk(
    brokers: int, replicas: str, in_sync: str
) -> None:
    controllers = {number: 20_000 + number for number in range(1, brokers + 1)}
    found = properties(kafka_properties(19092, controllers, Path("/data"), node_id=brokers))
    assert {found[name] for name in found if name.endswith("replication.factor")} == {replicas}
    assert {found[name] for name in found if name.endswith((".min.isr", "min.insync.replicas"))} == {in_sync}
    assert found["node.id"] == str(brokers)
    assert found["listeners"].endswith(f"CONTROLLER://127.0.0.1:{20_000 + brokers}")
    assert found["controller.quorum.voters"].count("@") == brokers


def test_nodes_of_elasticsearch_find_each_other_on_loopback() -> None:
    ports = [20_001, 20_002, 20_003]
    texts = [
        elasticsearch_yml(9200, Path("/data"), Path("/logs"), Peers(number, ports)) for number in (1, 2, 3)
    ]
    found = [dict(line.split(": ", 1) for line in text.splitlines()) for text in texts]
    assert [json.loads(one["transport.port"]) for one in found] == ports
    assert [json.loads(one["node.name"]) for one in found] == json.loads(
        found[0]["cluster.initial_master_nodes"]
    )
    assert json.loads(found[0]["discovery.seed_hosts"]) == [f"127.0.0.1:{port}" for port in ports]
    assert not any("discovery.type" in one for one in found)
