"""Members without partitions, and offsets without records, on a separate broker, which the tests break."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from confluent_kafka import IsolationLevel, TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.kafka import membership, stalls
from services.common.kafka.clients import new_admin, new_consumer, new_producer
from services.common.kafka.consumer_loop import ConsumerLoop, State
from services.common.kafka.coordinator import OFFSETS_TOPIC, find_stuck_coordinator
from services.common.kafka.offsets import find_starts
from services.common.observability.health import Health
from services.contracts.topics import TRADES_TOPIC
from tests.integration.pipeline import documents, log_lines, read_topic, tapewatch
from tests.narrow import present
from tests.samples import trade_json
from tests.stops import AskedFor

WITHIN_S = 90.0
PATIENCE_S = 8.0


@pytest.fixture(scope="module")
def own_stack() -> Iterator[EmbeddedStack]:
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config) as running:
        tapewatch(running, "setup")
        yield running


class Reader:
    """Work that commits nothing."""

    loop: ConsumerLoop

    def restore(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [start.at(start.offset) for start in find_starts(self.loop.consumer, partitions)]

    def started(self, seconds: float) -> None:
        pass

    def revoke(self) -> None:
        pass

    def lose(self) -> None:
        pass


class Member:
    def __init__(self, stack: EmbeddedStack, group: str, topic: str = TRADES_TOPIC) -> None:
        self.health = Health()
        work = Reader()
        self.loop = work.loop = ConsumerLoop(
            stack.kafka_connection, group, [topic], "detector", work, AskedFor(), self.health, dict
        )

    def turn(self) -> None:
        self.health.beat()
        self.loop.read(100, 0.1)

    def state(self) -> State:
        self.turn()
        return self.loop.state

    def why_not_ready(self) -> str:
        self.turn()
        return self.health.why_not_ready() or ""


@pytest.fixture
def members(own_stack: EmbeddedStack) -> Iterator[Callable[..., Member]]:
    """Join a group; all leave at the end."""
    with ExitStack() as leaving:

        def join(group: str, topic: str = TRADES_TOPIC) -> Member:
            member = Member(own_stack, group, topic)
            leaving.callback(member.loop.close)
            return member

        yield join


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(membership, "CHECK_EVERY_S", 0.5)


def comes_true(is_so: Callable[[], bool], within_s: float = WITHIN_S) -> bool:
    deadline_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() >= deadline_s:
            return False
    return True


def limit_offsets_topic(stack: EmbeddedStack, operation: AlterConfigOpType, size: str | None) -> None:
    entry = ConfigEntry("max.message.bytes", size, incremental_operation=operation)
    resource = ConfigResource(ConfigResource.Type.TOPIC, OFFSETS_TOPIC, incremental_configs=[entry])
    admin = new_admin(stack.kafka_connection)  # lives until the answer is there
    for answer in admin.incremental_alter_configs([resource]).values():
        answer.result()


@contextmanager
def coordinator_that_cannot_write(stack: EmbeddedStack) -> Iterator[None]:
    """A coordinator as after the crash described in the module `coordinator`: only writes fail."""
    limit_offsets_topic(stack, AlterConfigOpType.SET, "1")
    try:
        yield
    finally:
        limit_offsets_topic(stack, AlterConfigOpType.DELETE, None)


@pytest.mark.slow
@pytest.mark.usefixtures("impatience")
def test_member_names_a_stuck_coordinator_and_gets_its_partitions_when_it_can_write_again(
    own_stack: EmbeddedStack, members: Callable[..., Member]
) -> None:
    group = f"stuck-{uuid.uuid4().hex}"
    # The coordinator's topic comes into being with the first group.
    first = members(f"first-{group}")
    assert comes_true(lambda: first.state() is State.LIVE)
    assert find_stuck_coordinator(own_stack.kafka_connection, group, TRADES_TOPIC) is None
    with coordinator_that_cannot_write(own_stack):
        member = members(group)
        assert comes_true(lambda: "is stuck" in member.why_not_ready()), member.health.detail
        reason = member.why_not_ready()
        assert f"the coordinator of the group {group}" in reason
        assert f"partition 0 of {OFFSETS_TOPIC}" in reason
        assert f"Restart the Kafka broker 1 ({own_stack.kafka_bootstrap})" in reason
    assert comes_true(lambda: member.state() is State.LIVE)
    assert member.health.why_not_ready() is None


@pytest.mark.slow
@pytest.mark.usefixtures("impatience")
def test_one_member_too_many_is_a_standby_and_takes_over_later(
    own_stack: EmbeddedStack, members: Callable[..., Member]
) -> None:
    topic = f"one-partition-{uuid.uuid4().hex}"
    admin = new_admin(own_stack.kafka_connection)
    admin.create_topics([NewTopic(topic, 1)])[topic].result()
    both = [members(topic, topic), members(topic, topic)]

    def states() -> list[State]:
        return sorted(member.state() for member in both)

    assert comes_true(lambda: states() == [State.LIVE, State.STANDBY])
    clients = [member.loop.consumer for member in both]
    until_s = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < until_s:
        states()
    assert states() == [State.LIVE, State.STANDBY]
    assert [member.loop.consumer for member in both] == clients
    assert all(member.health.ready for member in both)
    working, standby = sorted(both, key=lambda member: member.state())
    working.loop.close()
    assert comes_true(lambda: standby.state() is State.LIVE)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["hang", "kill"])
def test_member_gets_its_partitions_back_after_the_broker_was_away(
    own_stack: EmbeddedStack, members: Callable[..., Member], how: str
) -> None:
    member = members(f"away-{how}-{uuid.uuid4().hex}")
    assert comes_true(lambda: member.state() is State.LIVE)
    places = member.loop.consumer.assignment()
    member.loop.ends.ask(places, IsolationLevel.READ_COMMITTED)
    if how == "hang":
        os.kill(present(own_stack.kafka.pid), signal.SIGSTOP)
        try:
            until_s = time.monotonic() + 10
            while time.monotonic() < until_s:
                member.state()
        finally:
            os.kill(present(own_stack.kafka.pid), signal.SIGCONT)
    else:
        own_stack.kafka.kill()
        own_stack.kafka.start()
    assert comes_true(lambda: member.state() is State.LIVE and len(member.loop.consumer.assignment()) == 6)
    # It has been asked before; after a restart it has to learn of the new leader epoch.
    assert len(member.loop.ends.ask(places, IsolationLevel.READ_COMMITTED)) == len(places)
    before = len(read_topic(own_stack, TRADES_TOPIC))
    publish(own_stack, "BACK", 1)
    assert len(read_topic(own_stack, TRADES_TOPIC)) == before + 1
    assert comes_true(lambda: any(record.key() == b"BACK" for record in member.loop.read(100, 0.1)))


@pytest.mark.slow
def test_partitions_that_went_while_paused_are_read_when_they_come_back(
    own_stack: EmbeddedStack, members: Callable[..., Member]
) -> None:
    topic = f"paused-{uuid.uuid4().hex}"
    admin = new_admin(own_stack.kafka_connection)
    admin.create_topics([NewTopic(topic, 1)])[topic].result()
    member = members(topic, topic)
    assert comes_true(lambda: member.state() is State.LIVE)
    member.loop.pause()
    # As if they were lost: the group has them assigned again to the same member.
    member.loop._on_lost(member.loop.consumer, member.loop.consumer.assignment())
    assigned = member.loop.consumer.assignment()
    member.loop.consumer.assign([])
    member.loop.resume()
    member.loop._on_assign(member.loop.consumer, assigned)
    assert member.state() is State.LIVE
    producer = new_producer(own_stack.kafka_connection)
    producer.produce(topic, value=b"{}")
    assert producer.flush(30) == 0
    assert comes_true(lambda: bool(member.loop.read(1, 0.1)), 15)


@pytest.mark.slow
def test_client_that_gets_no_messages_is_replaced(
    own_stack: EmbeddedStack, members: Callable[..., Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stalls, "CHECK_AFTER_S", 1.0)
    topic = f"stalled-{uuid.uuid4().hex}"
    admin = new_admin(own_stack.kafka_connection)
    admin.create_topics([NewTopic(topic, 1)])[topic].result()
    member = members(topic, topic)
    assert comes_true(lambda: member.state() is State.LIVE)
    stalled = member.loop.consumer
    stalled.pause(stalled.assignment())  # behind the loop's back, as a client that has stopped fetching
    producer = new_producer(own_stack.kafka_connection)
    producer.produce(topic, value=b"{}")
    assert producer.flush(30) == 0
    assert comes_true(lambda: bool(member.loop.read(1, 0.1)), 60)
    assert member.loop.consumer is not stalled


def publish(stack: EmbeddedStack, symbol: str, count: int) -> list[str]:
    """Publish trades of a symbol; return their ids."""
    producer = new_producer(stack.kafka_connection)
    ids = [f"{symbol}-{uuid.uuid4().hex}" for _ in range(count)]
    for number, trade_id in enumerate(ids):
        value = trade_json(number, trade_id=trade_id, symbol=symbol)
        producer.produce(TRADES_TOPIC, key=symbol.encode(), value=value, partition=2)
    assert producer.flush(30) == 0
    return ids


@pytest.mark.slow
def test_trades_that_retention_removed_are_reported_once_and_the_rest_is_detected(
    own_stack: EmbeddedStack,
) -> None:
    publish(own_stack, "KEPT", 3)
    services = (("detect", "--until-idle", "0.5"), ("index", "--until-idle", "0.5"))
    for service in services:
        tapewatch(own_stack, *service)
    lost = publish(own_stack, "LOST", 20)
    consumer = new_consumer(own_stack.kafka_connection, "reads-only")
    _, end = consumer.get_watermark_offsets(TopicPartition(TRADES_TOPIC, 2), 10)
    consumer.close()
    admin = new_admin(own_stack.kafka_connection)
    removed = admin.delete_records([TopicPartition(TRADES_TOPIC, 2, end)])
    assert all(answer.result().low_watermark == end for answer in removed.values())
    for service in services:
        said = tapewatch(own_stack, *service).stderr
        (line,) = log_lines(said, "trades were removed by the topic's retention before they were read")
        assert (line["partition"], line["messages"], line["first_offset"]) == (2, len(lost), end)
    rest = publish(own_stack, "REST", 5)
    for service in services:
        said = tapewatch(own_stack, *service).stderr
        assert "retention before they were read" not in said  # committed behind the loss meanwhile
    indexed = documents(own_stack, "trades-2024.12.02")
    assert indexed.keys() >= set(rest)
    assert not indexed.keys() & set(lost)
