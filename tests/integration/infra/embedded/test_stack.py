"""The embedded stack works like a full Kafka and Elasticsearch, and keeps data through crashes."""

import threading
import uuid

import elasticsearch.helpers
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from elasticsearch import ApiError, Elasticsearch, TransportError

from infra.embedded.jars import ELASTICSEARCH, locked_version
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.errors import TapewatchError
from tests.narrow import present

BULK_SIZE = 500


@pytest.fixture
def client(stack: EmbeddedStack) -> Elasticsearch:
    return Elasticsearch(stack.elasticsearch_url, request_timeout=30)


@pytest.fixture
def topic(stack: EmbeddedStack) -> str:
    name = f"test-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
    admin.create_topics([NewTopic(name, num_partitions=2)])[name].result(10)
    return name


def produce(stack: EmbeddedStack, topic: str, values: list[bytes], *, is_committed: bool) -> None:
    """Write in one transaction, which is committed or aborted."""
    producer = Producer(
        {
            "bootstrap.servers": stack.kafka_bootstrap,
            "transactional.id": f"test-{topic}",
            "transaction.timeout.ms": 10_000,
            "message.max.bytes": 4_000_000,
        }
    )
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    producer.flush(20)
    if is_committed:
        producer.commit_transaction(20)
    else:
        producer.abort_transaction(20)


def consume(stack: EmbeddedStack, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {
            "bootstrap.servers": stack.kafka_bootstrap,
            "group.id": f"test-{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 4_000_000,
        }
    )
    consumer.subscribe([topic])
    try:
        messages = consumer.consume(count, timeout=20)
        assert [message.error() for message in messages] == [None] * len(messages)
        consumer.commit(asynchronous=False)
        assert consumer.committed([TopicPartition(topic, 0)], timeout=10)[0].offset > 0
        return [present(message.value()) for message in messages]
    finally:
        consumer.close()


def test_kafka_commits_and_aborts_transactions(stack: EmbeddedStack, topic: str) -> None:
    produce(stack, topic, [b"aborted"], is_committed=False)
    produce(stack, topic, [b"one", b"two"], is_committed=True)
    assert consume(stack, topic, 2) == [b"one", b"two"]


def test_kafka_takes_a_message_of_two_megabytes(stack: EmbeddedStack, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
    assert topic in admin.list_topics(timeout=10).topics
    value = bytes(2_000_000)
    produce(stack, topic, [value], is_committed=True)
    assert consume(stack, topic, 1) == [value]


def test_kafka_makes_no_topic_by_itself(stack: EmbeddedStack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka_bootstrap})
    name = f"test-{uuid.uuid4().hex}"
    assert admin.list_topics(name, timeout=10).topics[name].error is not None
    assert name not in admin.list_topics(timeout=10).topics


@pytest.mark.slow
def test_kafka_is_back_with_its_data_after_a_kill(stack: EmbeddedStack, topic: str) -> None:
    produce(stack, topic, [b"before"], is_committed=True)
    stack.kafka.kill()
    log_bytes = stack.kafka.log_file.stat().st_size
    stack.kafka.start()
    log = stack.kafka.log_file.read_bytes()[log_bytes:].decode()
    # It was registered at once, and led nothing before: the coordinator loaded its log once.
    assert "DUPLICATE_BROKER_REGISTRATION" not in log
    assert log.count("Scheduling loading of metadata from __consumer_offsets-0") == 1
    produce(stack, topic, [b"after"], is_committed=True)
    assert consume(stack, topic, 2) == [b"before", b"after"]


def test_elasticsearch_reports_its_version(client: Elasticsearch) -> None:
    info = client.info()
    assert info["version"]["number"] == locked_version(ELASTICSEARCH, "elasticsearch")
    assert info["cluster_name"] == "tapewatch"
    assert len(info["cluster_uuid"]) > 10
    assert client.ping()


def test_elasticsearch_indexes_and_finds(client: Elasticsearch) -> None:
    index = f"test-{uuid.uuid4().hex}"
    client.index(index=index, id="1", document={"symbol": "NVDA", "price": 178.5}, refresh=True)
    found = client.search(index=index, query={"range": {"price": {"gt": 178}}})
    assert [hit["_source"]["symbol"] for hit in found["hits"]["hits"]] == ["NVDA"]


@pytest.mark.slow
def test_elasticsearch_killed_while_it_writes_keeps_all_that_it_acknowledged(
    stack: EmbeddedStack, client: Elasticsearch
) -> None:
    index = f"test-{uuid.uuid4().hex}"
    acknowledged: list[str] = []
    some_are_written = threading.Event()

    def write() -> None:
        writer = Elasticsearch(stack.elasticsearch_url, request_timeout=30, max_retries=0)
        for batch in range(10_000):
            ids = [f"{batch}-{number}" for number in range(BULK_SIZE)]
            actions = ({"_index": index, "_id": name, "name": name} for name in ids)
            try:
                elasticsearch.helpers.bulk(writer, actions, chunk_size=BULK_SIZE)
            except (TransportError, ApiError):
                return
            acknowledged.extend(ids)
            if batch == 20:
                some_are_written.set()

    writing = threading.Thread(target=write)
    writing.start()
    assert some_are_written.wait(60)
    stack.elasticsearch.kill()
    writing.join()
    stack.elasticsearch.start()

    # Ready means that the shards are there: the first request must succeed.
    client.indices.refresh(index=index)
    stored = {
        hit["_id"] for hit in elasticsearch.helpers.scan(client, index=index, size=5_000, _source=False)
    }
    assert len(acknowledged) > 20 * BULK_SIZE
    assert set(acknowledged) <= stored


def test_second_stack_on_the_same_port_is_rejected(stack: EmbeddedStack) -> None:
    kafka_taken = StackConfig(kafka_port=stack.config.kafka_port, elasticsearch_port=free_port())
    with pytest.raises(TapewatchError, match=f"Kafka cannot use port {kafka_taken.kafka_port}"):
        EmbeddedStack(kafka_taken).start()
    elasticsearch_taken = StackConfig(
        kafka_port=free_port(), elasticsearch_port=stack.config.elasticsearch_port
    )
    with pytest.raises(TapewatchError, match="--elasticsearch-port"):
        EmbeddedStack(elasticsearch_taken).start()


def test_second_stack_on_the_same_data_is_rejected(stack: EmbeddedStack) -> None:
    config = StackConfig(data_dir=stack.data_dir, kafka_port=free_port(), elasticsearch_port=free_port())
    with pytest.raises(TapewatchError, match="is using the data folder"):
        EmbeddedStack(config).start()
    stack.check()
