"""The delivery promise with the real service and loop; a store replaces the broker, rebalances are random."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import msgspec
import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from services.common.kafka import consumer_loop, lag
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.offsets import Start
from services.common.kafka.transactions import TransactionAbortedError, Transactions
from services.common.observability.health import Health
from services.contracts.profile_record import ProfileRecord
from services.contracts.trade import decode_trade
from services.detector.engine.engine import Engine
from services.detector.live import metrics, service
from services.detector.live.assignment import Phase
from services.detector.live.service import DetectorService
from services.detector.live.settings import DetectorSettings
from services.detector.profiles.profile import Profile
from tests.samples import trade_json
from tests.stops import AskedFor
from tests.unit.services.common.kafka.fake_consumer import FakeConsumer

PARTITIONS = range(3)
TRADES = 24
POISON_AT = 7
MARKERS = 1
END = TRADES + MARKERS
FULL = 6
PROFILE = Profile.model_validate(
    {"detectors": {"high_volume": {"threshold_shares": 900}, "rapid_price_change": {"threshold_ratio": 0.05}}}
)


def tape(number: int) -> list[bytes]:
    """Return trades of a symbol, some flagged by size and some by price change; one is not a trade."""
    values = [
        trade_json(
            at,
            trade_id=f"{number}-{at}",
            symbol=f"S{number}",
            size=1_000 if at % 5 == number else 10,
            price=100.0 if at % 7 else 120.0,
        )
        for at in range(TRADES)
    ]
    values[POISON_AT] = b"no trade"
    return values


LOG = {("trades", number): tape(number) for number in PARTITIONS}


def expected() -> dict[str, list[str]]:
    """Return the labels of each flagged trade, as an undisturbed engine finds them."""
    found: dict[str, list[str]] = {}
    for values in LOG.values():
        trades = [decode_trade(value) for value in values if value != b"no trade"]
        found |= {trades[at].trade_id: anomaly.anomalies for at, anomaly, _ in Engine(PROFILE).detect(trades)}
    return found


@dataclass
class Broker:
    """The content of the topics, and the assignment of partitions."""

    committed: dict[int, int] = field(default_factory=dict)
    checkpoints: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    visible: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    owner: dict[int, str] = field(default_factory=dict)
    clients: list[FakeConsumer] = field(default_factory=list)
    silences: int = 0
    """How often it does not answer while partitions are restored."""

    def new_client(self, _kafka: KafkaConnection, _group: str, **_config: object) -> FakeConsumer:
        self.clients.append(FakeConsumer(member_id=f"{len(self.clients)}", log=LOG, markers=MARKERS))
        return self.clients[-1]

    def starts(self, _consumer: object, partitions: list[TopicPartition]) -> list[Start]:
        if self.silences:
            self.silences -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [
            Start("trades", p.partition, self.committed.get(p.partition, -1001), 0, TRADES)
            for p in partitions
        ]

    def newest_by_key(
        self, _kafka: KafkaConnection, _topic: str, numbers: list[int], _stop: object
    ) -> dict[int, dict[bytes, bytes]]:
        return {number: dict(self.checkpoints.get(number, {})) for number in numbers}


@dataclass
class Producer:
    """A detector's transactions, in place of `Transactions`."""

    broker: Broker
    pending: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    aborts: list[bool] = field(default_factory=list)
    """Results of the next commits: whether the producer is fenced."""

    @property
    def producer(self) -> "Producer":
        return self

    def produce(self, topic: str, **message: Any) -> None:
        self.pending.append((topic, message))

    def begin(self) -> None:
        assert not self.pending

    def commit(self, offsets: list[TopicPartition], group: object) -> None:
        assert offsets, "each commit is fenced"
        if self.aborts:
            self._abort("as after an outage", fenced=self.aborts.pop())
        if any(f"membership of {self.broker.owner[place.partition]}" != group for place in offsets):
            self._abort("of an earlier generation", fenced=False)
        for offset in offsets:
            assert offset.offset >= self.broker.committed.get(offset.partition, 0)
            self.broker.committed[offset.partition] = offset.offset
        for topic, message in self.pending:
            if topic != "detector-checkpoints":
                self.broker.visible.append((topic, message))
            elif message["value"] is None:
                self.broker.checkpoints.get(message["partition"], {}).pop(message["key"], None)
            else:
                self.broker.checkpoints.setdefault(message["partition"], {})[message["key"]] = message[
                    "value"
                ]
        self.pending = []

    def _abort(self, reason: str, fenced: bool) -> NoReturn:
        self.pending = []
        raise TransactionAbortedError(reason, fenced)

    def abort(self, reason: str) -> NoReturn:
        self._abort(reason, fenced=False)

    def open(self) -> None:
        self.pending = []


class Detector:
    """A detector in this process."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.transactions = Producer(broker)
        self.service = DetectorService(
            DetectorSettings.model_construct(checkpoint_trades=10),
            KafkaConnection("nowhere:1"),
            PROFILE,
            "test",
            cast("Transactions", self.transactions),
            AskedFor(),
            Health(),
        )
        self.client = broker.clients[-1]

    def gets(self, numbers: Iterable[int]) -> None:
        """Assign partitions in the next turn; the broker knows of it immediately."""
        self.broker.owner |= dict.fromkeys(numbers, self.client.member_id)
        self.client.gives(*sorted(numbers))

    def turn(self) -> None:
        self.service._turn_or_start_over()

    def phase(self, number: int) -> Phase | None:
        return self.service._assignment.phase(number)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield running_broker(monkeypatch)


def running_broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(consumer_loop, "new_consumer", broker.new_client)
    monkeypatch.setattr(consumer_loop, "new_admin", lambda _: None)
    monkeypatch.setattr(consumer_loop, "TRY_AGAIN_S", 0.0)
    monkeypatch.setattr(service, "check_same_partitions", lambda *_: None)
    monkeypatch.setattr(service, "find_starts", broker.starts)
    monkeypatch.setattr(service, "newest_by_key", broker.newest_by_key)
    # So that transactions stay open over some turns.
    monkeypatch.setattr(service, "MAX_BATCH_TRADES", FULL)
    monkeypatch.setattr(service, "LOADED_TRADES", FULL)
    monkeypatch.setattr(service, "COMMIT_S", 1_000.0)
    return broker


def published(broker: Broker) -> dict[str, list[str]]:
    """Return the labels of each anomaly in the topic; fail if one is there twice."""
    values = [orjson.loads(m["value"]) for topic, m in broker.visible if topic == "anomalies"]
    found = {value["trade_id"]: value["anomalies"] for value in values}
    assert len(found) == len(values)
    return found


def share(detectors: list[Detector], firsts: set[int]) -> None:
    """Rebalance: revoke all partitions, then assign some to the first detector, the rest to the other."""
    for detector in detectors:
        detector.client.takes()
        detector.turn()
    for detector, numbers in zip(detectors, (firsts, set(PARTITIONS) - firsts), strict=True):
        detector.gets(numbers)
        detector.turn()


def finish(broker: Broker, detectors: list[Detector]) -> None:
    """Stop all faults until everything is committed."""
    broker.silences = 0
    for detector in detectors:
        detector.transactions.aborts = []
    share(detectors, set(PARTITIONS))
    for _ in range(2):
        for number in PARTITIONS:
            detectors[0].client.flows(number, TRADES)
        for _ in range(2 * len(PARTITIONS)):
            detectors[0].turn()
    assert broker.committed == dict.fromkeys(PARTITIONS, END)


WHO = st.integers(0, 1)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("share"), WHO, st.sets(st.sampled_from(PARTITIONS))),
        st.tuples(st.just("flows"), WHO, st.tuples(st.sampled_from(PARTITIONS), st.integers(1, 9))),
        st.tuples(st.just("flows"), WHO, st.tuples(st.sampled_from(PARTITIONS), st.integers(1, 9))),
        st.tuples(st.just("aborts"), WHO, st.booleans()),
        st.tuples(st.sampled_from(["outlives", "silence", "restart"]), WHO, st.none()),
        st.tuples(st.just("turn"), WHO, st.none()),
        st.tuples(st.just("turn"), WHO, st.none()),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(EVENTS)
def test_every_anomaly_and_letter_is_published_once_whatever_happens_in_between(
    events: list[tuple[str, int, Any]],
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        broker = running_broker(monkeypatch)
        detectors = [Detector(broker), Detector(broker)]
        for event, who, detail in events:
            detector = detectors[who]
            if event == "share":
                share(detectors, detail)
            elif event == "flows":
                detector.client.flows(*detail)
            elif event == "aborts":
                detector.transactions.aborts.append(detail)
            elif event == "outlives":  # the other one sleeps, loses all, and goes on before it hears of that
                sleeper = detectors[1 - who]
                detector.client.takes()
                detector.turn()
                detector.gets(PARTITIONS)
                detector.turn()
                detector.turn()
                sleeper.turn()
                sleeper.client.loses()
                sleeper.turn()
            elif event == "silence":
                broker.silences = 2
            elif event == "restart":  # killed: what it had not committed comes to nothing
                detectors[who] = Detector(broker)
            else:
                detector.turn()
        finish(broker, detectors)
    assert published(broker) == expected()
    letters = [m["value"] for topic, m in broker.visible if topic == "dead-letters"]
    assert letters == [b"no trade"] * len(PARTITIONS)


def test_there_is_something_to_find() -> None:
    labels = {label for found in expected().values() for label in found}
    assert labels == {"High Volume", "Rapid Price Change"}


def test_loss_to_retention_is_committed_even_if_nothing_comes_behind_it(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "find_starts", lambda *_: [Start("trades", 0, 3, TRADES, TRADES)])
    detector = Detector(broker)
    detector.gets([0])
    detector.turn()
    detector.turn()
    detector.client.flows(0, 1)
    detector.turn()
    assert broker.committed == {0: END}
    assert [topic for topic, _ in broker.visible] == ["profiles"]


def worked_on(broker: Broker, messages: int) -> Detector:
    """Return a detector that has partition 0 and has committed a part of it."""
    detector = Detector(broker)
    detector.gets([0])
    detector.turn()
    detector.turn()
    detector.client.flows(0, messages)
    detector.turn()
    detector.turn()
    return detector


def test_partition_that_returns_unchanged_keeps_its_engine(broker: Broker) -> None:
    detector = worked_on(broker, 9)
    before = detector.service._assignment.partitions[0]
    detector.client.takes()
    detector.turn()
    assert detector.phase(0) is Phase.STANDBY
    detector.gets([0])
    detector.turn()
    detector.turn()
    assert detector.service._assignment.partitions[0] is before
    assert broker.committed == {0: 9}


def profiles(broker: Broker) -> list[tuple[bytes, ProfileRecord]]:
    records = [(m["key"], m["value"]) for topic, m in broker.visible if topic == "profiles"]
    return [(key, msgspec.json.decode(value, type=ProfileRecord)) for key, value in records]


def test_the_profile_is_told_once_with_the_first_commit(broker: Broker) -> None:
    detector = worked_on(broker, 9)
    detector.client.flows(0, 5)
    detector.turn()
    ((key, record),) = profiles(broker)
    assert key.decode() == record.profile == PROFILE.hash
    assert record.text == PROFILE.model_dump_json()
    assert {orjson.loads(m["value"])["model"]["version"] for t, m in broker.visible if t == "anomalies"} <= {
        record.version
    }


def test_a_profile_whose_commit_was_aborted_is_told_with_the_next_one(broker: Broker) -> None:
    detector = Detector(broker)
    detector.gets([0])
    detector.turn()
    detector.turn()
    detector.transactions.aborts = [False]
    detector.client.flows(0, 9)
    detector.turn()
    assert profiles(broker) == []
    for _ in range(3):
        detector.turn()
        detector.client.flows(0, TRADES)
    detector.turn()
    assert len(profiles(broker)) == 1


@pytest.mark.parametrize("is_fenced", [False, True])
def test_aborted_batch_is_read_and_published_again(broker: Broker, is_fenced: bool) -> None:
    detector = worked_on(broker, 9)
    detector.transactions.aborts = [is_fenced]
    detector.client.flows(0, 5)
    detector.turn()
    assert broker.committed == {0: 9}
    detector.turn()
    detector.client.flows(0, TRADES)
    detector.turn()
    detector.turn()
    assert broker.committed == {0: END}
    assert published(broker) == {key: found for key, found in expected().items() if key.startswith("0-")}


def test_partition_whose_last_commit_was_aborted_is_not_kept(broker: Broker) -> None:
    detector = worked_on(broker, 9)
    before = detector.service._assignment.partitions[0]
    detector.client.flows(0, FULL)
    detector.turn()
    detector.transactions.aborts = [False]
    detector.client.takes()
    detector.turn()
    assert detector.phase(0) is None
    broker.committed[0] = before.position  # as if another had come just as far
    detector.gets([0])
    detector.turn()
    detector.turn()
    assert detector.service._assignment.partitions[0] is not before


def test_replay_ends_at_the_marker_behind_the_last_trade(broker: Broker) -> None:
    worked_on(broker, TRADES)
    broker.checkpoints.clear()
    detector = Detector(broker)
    detector.gets([0])
    detector.turn()
    detector.turn()
    assert detector.phase(0) is Phase.REPLAYING
    detector.client.flows(0, TRADES)
    detector.turn()
    assert detector.phase(0) is Phase.LIVE


def lag_and_ages() -> tuple[float | None, list[float]]:
    names = {"service": "detector", "topic": "trades"}
    samples = [sample for metric in metrics.CHECKPOINT_AGE.collect() for sample in metric.samples]
    return REGISTRY.get_sample_value("tapewatch_lag_messages", names), [sample.value for sample in samples]


def test_detector_without_partitions_reports_neither_lag_nor_checkpoints(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "LAG_EVERY_S", 0.0)
    monkeypatch.setattr(FakeConsumer, "get_watermark_offsets", lambda *_, **__: (0, END))
    detector = worked_on(broker, 9)
    assert lag_and_ages() == (END - 9, [9])
    detector.client.takes()
    detector.turn()
    assert lag_and_ages() == (0, [])


def test_lag_is_measured_while_a_replay_commits_nothing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "LAG_EVERY_S", 0.0)
    monkeypatch.setattr(FakeConsumer, "get_watermark_offsets", lambda *_, **__: (0, END))
    worked_on(broker, TRADES)
    broker.checkpoints.clear()
    detector = Detector(broker)
    detector.gets([0])
    detector.turn()
    detector.turn()
    detector.client.flows(0, 5)
    detector.turn()
    assert detector.phase(0) is Phase.REPLAYING
    assert lag_and_ages()[0] == END - 5
