import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.common.kafka import consumer_loop, membership
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.consumer_loop import ConsumerLoop, State
from services.common.kafka.coordinator import StuckCoordinator
from services.common.kafka.membership import GroupCheck, Standing
from services.common.kafka.offsets import Positions
from services.common.kafka.records import Record
from services.common.observability.health import Health
from tests.stops import AskedFor
from tests.unit.services.common.kafka.fake_consumer import FakeConsumer, FakeMessage, end_of

TOPIC = "trades"


@dataclass
class Ledger:
    """Work that commits when partitions are revoked, and resumes where it committed."""

    committed: dict[int, int] = field(default_factory=dict)
    restored: dict[int, int] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    failures: int = 0
    """How often the broker does not answer while partitions are restored."""

    def restore(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        if self.failures:
            self.failures -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        self.restored = {p.partition: self.committed.get(p.partition, 0) for p in partitions}
        self.read = dict(self.restored)
        return [TopicPartition(TOPIC, number, offset) for number, offset in self.restored.items()]

    def started(self, seconds: float) -> None:
        self.events.append(f"started {sorted(self.restored)}")

    def work(self, records: list[Record]) -> None:
        for record in records:
            assert self.read[record.partition()] == record.offset(), "neither a gap nor a repetition"
            self.read[record.partition()] += 1

    def revoke(self) -> None:
        self.events.append("revoked")
        self.committed |= self.read
        self.read = {}

    def lose(self) -> None:
        self.events.append("lost")
        self.read = {}

    read: dict[int, int] = field(default_factory=dict)


@dataclass
class Member:
    loop: ConsumerLoop
    work: Ledger
    health: Health
    stop: AskedFor
    clients: list[FakeConsumer]

    @property
    def client(self) -> FakeConsumer:
        return self.clients[-1]

    def state(self) -> State:
        return self.loop.state

    def turn(self) -> list[FakeMessage]:
        records = self.loop.read(100, 0.0)
        self.work.work(records)
        return records  # type: ignore[return-value]


Join = Callable[[], Member]


def joined(monkeypatch: pytest.MonkeyPatch) -> Member:
    clients: list[FakeConsumer] = []

    def new_client(kafka: KafkaConnection, group: str, **config: object) -> FakeConsumer:
        clients.append(FakeConsumer(member_id=f"member {len(clients)}", config=config))
        return clients[-1]

    monkeypatch.setattr(consumer_loop, "new_consumer", new_client)
    monkeypatch.setattr(consumer_loop, "new_admin", lambda _: object())
    monkeypatch.setattr(consumer_loop, "TRY_AGAIN_S", 0.0)
    work, health, stop = Ledger(), Health(), AskedFor()
    loop = ConsumerLoop(KafkaConnection("nowhere:1"), "group", [TOPIC], "detector", work, stop, health, dict)
    return Member(loop, work, health, stop, clients)


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> Member:
    return joined(monkeypatch)


def trades(number: int, *offsets: int) -> list[FakeMessage]:
    return [FakeMessage((TOPIC, number), offset) for offset in offsets]


def test_partitions_are_read_from_where_the_service_says(member: Member) -> None:
    member.work.committed = {1: 7}
    assert member.turn() == []
    assert member.state() is State.UNASSIGNED
    assert not member.health.ready
    member.client.gives(1, 0)
    member.turn()
    assert member.state() is State.RESTORING
    member.client.delivers(*trades(1, 7, 8))
    assert member.turn() == []  # comes before the partitions are assigned
    assert member.state() is State.LIVE
    assert member.health.ready
    assert [(p.partition, p.offset) for p in member.client.assignment()] == [(0, 0), (1, 7)]
    member.client.delivers(*trades(1, 7, 8))
    assert member.turn() == trades(1, 7, 8)
    assert member.loop.positions.next_offsets == {(TOPIC, 1): 9}


def test_member_that_gets_no_partitions_is_a_standby_and_ready(member: Member) -> None:
    member.client.gives()
    member.turn()
    member.turn()
    assert member.state() is State.STANDBY
    assert member.health.ready
    assert member.work.events == ["started []"]


def test_restoring_is_tried_again_until_the_broker_answers(member: Member) -> None:
    member.work.failures = 3
    member.client.gives(0)
    member.turn()
    member.turn()
    assert member.work.failures == 0
    assert member.state() is State.LIVE


def test_stop_while_the_broker_does_not_answer_ends_the_restoring(member: Member) -> None:
    member.work.failures = 1_000_000
    member.client.gives(0)
    member.turn()
    member.stop.request()
    assert member.turn() == []
    assert member.state() is State.RESTORING
    assert not member.health.ready


def test_new_decision_of_the_group_comes_before_the_restoring(member: Member) -> None:
    member.client.gives(0)
    member.turn()
    member.client.takes()
    member.client.gives(1)
    member.turn()
    assert member.work.events == ["revoked", "started [1]"]


def test_what_was_read_before_a_revocation_in_the_same_call_is_dropped(member: Member) -> None:
    member.client.gives(0, 1)
    member.turn()
    member.turn()
    member.client.delivers(*trades(0, 0, 1), end_of(TOPIC, 1, 5))
    member.client.takes()
    member.client.gives(1)
    assert member.turn() == []
    assert member.loop.positions.next_offsets == {}
    assert not member.health.ready


def test_lost_partitions_are_given_up_and_not_committed(member: Member) -> None:
    member.client.gives(0)
    member.turn()
    member.turn()
    member.client.delivers(*trades(0, 0))
    member.turn()
    member.client.loses()
    member.turn()
    assert member.state() is State.UNASSIGNED
    assert member.work.committed == {}
    assert member.health.why_not_ready() == "partitions"


def test_error_that_the_client_does_not_get_over_ends_the_service(member: Member) -> None:
    error = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    member.client.delivers(FakeMessage((None, -1), -1, None, error))
    with pytest.raises(TapewatchError, match="denies this client's user a consumer group"):
        member.turn()


def test_error_that_the_client_recovers_from_is_ignored(member: Member) -> None:
    error = KafkaError(KafkaError._ALL_BROKERS_DOWN)
    member.client.delivers(FakeMessage((None, -1), -1, None, error))
    assert member.turn() == []


def test_what_comes_while_paused_is_read_afterwards(member: Member) -> None:
    member.client.gives(0)
    member.turn()
    member.turn()
    member.client.delivers(*trades(0, 0))
    member.loop.listen(0.0)
    assert member.loop.has_aside
    assert member.loop.positions.next_offsets == {}
    member.loop.pause()
    member.client.delivers(*trades(0, 1))
    member.loop.listen(0.0)
    member.loop.resume()
    assert member.turn() == trades(0, 0)


@pytest.mark.parametrize("how", ["takes", "loses"])
def test_partitions_that_went_while_paused_are_read_when_they_come_back(member: Member, how: str) -> None:
    member.client.gives(0)
    member.turn()
    member.turn()
    member.loop.pause()
    getattr(member.client, how)()
    member.loop.listen(0.0)
    member.loop.resume()
    member.client.gives(0)
    member.turn()
    member.turn()
    member.client.delivers(*trades(0, 0))
    assert member.turn() == trades(0, 0)


def test_closing_commits_nothing_more(member: Member) -> None:
    member.client.gives(0)
    member.turn()
    member.turn()
    member.client.takes()
    member.loop.close()
    assert member.client.is_closed
    member.client.consume(1, 0.0)
    assert member.work.events == ["started [0]"]


def test_run_ends_when_all_was_read_for_long_enough(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = iter([False, True, False, True, True, True, True, True])
    monkeypatch.setattr(Positions, "at_end", lambda *_: next(ends, True))
    turns: list[float] = []

    def turn() -> bool:
        turns.append(time.monotonic())
        time.sleep(0.01)
        return len(turns) < 3

    member.loop.run(turn, until_idle_s=0.05)
    assert turns[-1] - turns[2] >= 0.04
    assert member.health.why_not_ready() == "stopping"


def test_run_ends_with_a_stop(member: Member) -> None:
    def turn() -> bool:
        member.stop.request()
        return True

    member.loop.run(turn, until_idle_s=None)
    assert member.health.why_not_ready() == "stopping"


STUCK = StuckCoordinator("group", 3, "1 (kafka:9092)", "not written")


def impatient(monkeypatch: pytest.MonkeyPatch, sights: Callable[[str, bool], GroupCheck]) -> None:
    """Let the watch check in each turn, and get a test's answer."""

    def look_at_once(_call: object, *arguments: object) -> Future[GroupCheck]:
        outcome: Future[GroupCheck] = Future()
        if len(arguments) == 6:
            outcome.set_result(sights(str(arguments[4]), bool(arguments[5])))
        else:  # a client is closed
            _call()  # type: ignore[operator]
        return outcome

    monkeypatch.setattr(consumer_loop, "in_background", look_at_once)
    monkeypatch.setattr(membership, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(membership, "PATIENCE_S", 0.0)


def test_member_that_the_group_forgot_joins_again_with_a_new_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    impatient(monkeypatch, lambda _member_id, _is_probing: GroupCheck(Standing.ABSENT))
    member = joined(monkeypatch)
    forgotten = member.client
    for _ in range(3):
        member.turn()
    assert len(member.clients) > 1
    assert forgotten.is_closed
    assert member.health.why_not_ready() == "partitions: the group does not know this member"
    forgotten.gives(5)
    forgotten.consume(1, 0.0)  # what the old client hears does not count
    assert member.state() is State.UNASSIGNED
    member.client.gives(0)
    member.turn()
    member.turn()
    assert member.state() is State.LIVE
    assert member.health.ready
    clients = len(member.clients)
    for _ in range(5):
        member.turn()
    assert len(member.clients) == clients


def test_member_that_never_gets_partitions_names_the_stuck_coordinator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    impatient(
        monkeypatch,
        lambda _member_id, is_probing: GroupCheck(Standing.FORMING, STUCK if is_probing else None),
    )
    member = joined(monkeypatch)
    for _ in range(6):
        member.turn()
    reason = member.health.why_not_ready() or ""
    assert "partition 3 of __consumer_offsets" in reason
    assert "Restart the Kafka broker 1 (kafka:9092)" in reason
    assert "is stuck" in capsys.readouterr().out


def test_standby_is_ready_and_keeps_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch, lambda _member_id, _is_probing: GroupCheck(Standing.STANDBY))
    member = joined(monkeypatch)
    for _ in range(10):
        member.turn()
    assert member.state() is State.STANDBY
    assert member.health.ready
    assert len(member.clients) == 1


def test_standby_whose_group_forgot_it_joins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sights = [GroupCheck(Standing.STANDBY), GroupCheck(Standing.ABSENT)]
    impatient(monkeypatch, lambda _member_id, _is_probing: sights.pop(0) if len(sights) > 1 else sights[0])
    member = joined(monkeypatch)
    for _ in range(6):
        member.turn()
    assert member.state() is State.UNASSIGNED
    assert not member.health.ready
    assert len(member.clients) > 1


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("gives"), st.sets(st.integers(0, 3))),
        st.tuples(st.sampled_from(["takes", "loses", "turn", "again", "away", "listen"]), st.none()),
        st.tuples(st.just("delivers"), st.integers(0, 3)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(EVENTS)
def test_every_record_is_worked_once_between_two_commits_whatever_the_group_does(
    events: list[tuple[str, object]],
) -> None:
    """`Ledger.work` asserts that a partition's records arrive without a gap from the restored offset on."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        member = joined(monkeypatch)
        work, client = member.work, member.client
        client.log = {(TOPIC, number): [b"{}"] * 100 for number in range(4)}
        for event, detail in events:
            if event == "gives":
                client.takes()  # all partitions go at once before new ones come
                client.gives(*sorted(detail))  # type: ignore[call-overload]
            elif event == "delivers":
                client.flows(detail, 1)  # type: ignore[arg-type]
            elif event in ("takes", "loses"):
                getattr(client, event)()
            elif event == "again":  # as after an aborted transaction
                member.loop.restore_again()
            elif event == "away":
                work.failures = 2
            elif event == "listen":
                member.loop.listen(0.0)
            else:
                member.turn()
        for _ in range(4):
            member.turn()
        owned = {p.partition for p in client.owned}
        assert member.state() is (State.LIVE if owned else member.state())
        assert member.state() is not State.RESTORING
        assert {p.partition for p in client.assignment()} == owned
        for number, offset in member.loop.positions.next_offsets.items():
            assert work.read[number[1]] == offset
