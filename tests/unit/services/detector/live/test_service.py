"""The promise with the real service and loop: a store stands for the broker, the group does what it likes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

import orjson
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.kafka import consumer_loop
from services.common.kafka.offsets import Start
from services.common.kafka.transactions import TransactionAbortedError, Transactions
from services.common.observability.health import Health
from services.contracts.trade import decode_trade
from services.detector.engine.engine import Engine
from services.detector.live import service
from services.detector.live.service import DetectorService
from services.detector.live.settings import DetectorSettings
from services.detector.profiles.profile import Profile
from tests.samples import trade_json
from tests.stops import AskedFor
from tests.unit.services.common.kafka.fake_consumer import FakeConsumer

PARTITIONS = range(3)
TRADES = 24
POISON_AT = 7
PROFILE = Profile.model_validate(
    {"detectors": {"high_volume": {"threshold_shares": 900}, "rapid_price_change": {"threshold_ratio": 0.05}}}
)


def tape(number: int) -> list[bytes]:
    """Return trades of a symbol, some flagged by their size and some by the price before; one is none."""
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
    """Return the labels of each flagged trade, as an engine finds them that nobody disturbs."""
    found: dict[str, list[str]] = {}
    for values in LOG.values():
        trades = [decode_trade(value) for value in values if value != b"no trade"]
        found |= {trades[at].trade_id: anomaly.anomalies for at, anomaly in Engine(PROFILE).detect(trades)}
    return found


@dataclass
class Store:
    """What the broker keeps, and the one transactional producer that writes it."""

    committed: dict[int, int] = field(default_factory=dict)
    checkpoints: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    visible: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    pending: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    client: FakeConsumer | None = None
    aborts: list[bool] = field(default_factory=list)
    """What becomes of the next commits: whether the producer is fenced."""
    silences: int = 0
    """So often the broker does not answer a restoring."""

    @property
    def producer(self) -> "Store":
        return self

    def produce(self, topic: str, **message: Any) -> None:
        self.pending.append((topic, message))

    def begin(self) -> None:
        assert not self.pending

    def commit(self, offsets: list[TopicPartition], group: object) -> None:
        assert self.client is not None
        assert group == f"membership of {self.client.member_id}"
        assert offsets, "each commit is fenced"
        owned = {p.partition for p in self.client.owned}
        # While partitions are revoked they are the member's still, though its client names them no more.
        assert not owned or {p.partition for p in offsets} <= owned
        if self.aborts:
            self._abort("as after an outage", fenced=self.aborts.pop())
        for offset in offsets:
            assert offset.offset >= self.committed.get(offset.partition, 0)
            self.committed[offset.partition] = offset.offset
        for topic, message in self.pending:
            if topic == "detector-checkpoints":
                kept = self.checkpoints.setdefault(message["partition"], {})
                if message["value"] is None:
                    kept.pop(message["key"], None)
                else:
                    kept[message["key"]] = message["value"]
            else:
                self.visible.append((topic, message))
        self.pending = []

    def _abort(self, reason: str, fenced: bool) -> NoReturn:
        self.pending = []
        raise TransactionAbortedError(reason, fenced)

    def abort(self, reason: str) -> NoReturn:
        self._abort(reason, fenced=False)

    def open(self) -> None:
        self.pending = []

    def starts(self, _consumer: object, _admin: object, partitions: list[TopicPartition]) -> list[Start]:
        if self.silences:
            self.silences -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [Start("trades", p.partition, self.committed.get(p.partition, -1001), 0) for p in partitions]

    def load(self, _bootstrap: str, numbers: list[int], _stop: object) -> dict[int, dict[bytes, bytes]]:
        return {number: dict(self.checkpoints.get(number, {})) for number in numbers}


@pytest.fixture
def store() -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield stored(monkeypatch)


def stored(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()

    def new_client(_bootstrap: str, _group: str, **_config: object) -> FakeConsumer:
        store.client = FakeConsumer(log=LOG)
        return store.client

    monkeypatch.setattr(consumer_loop, "new_consumer", new_client)
    monkeypatch.setattr(consumer_loop, "new_admin", lambda _: None)
    monkeypatch.setattr(consumer_loop, "TRY_AGAIN_S", 0.0)
    monkeypatch.setattr(service, "check_topics", lambda *_: None)
    monkeypatch.setattr(service, "find_starts", store.starts)
    monkeypatch.setattr(service, "load", store.load)
    return store


def detector(store: Store) -> DetectorService:
    return DetectorService(
        DetectorSettings.model_construct(kafka="nowhere:1", checkpoint_trades=10),
        PROFILE,
        "test",
        cast("Transactions", store),
        AskedFor(),
        Health(),
    )


def published(store: Store) -> dict[str, list[str]]:
    """Return the labels of each anomaly in the topic; none may be there twice."""
    values = [orjson.loads(m["value"]) for topic, m in store.visible if topic == "anomalies"]
    found = {value["trade_id"]: value["anomalies"] for value in values}
    assert len(found) == len(values)
    return found


def finish(store: Store, running: DetectorService) -> None:
    """Let the group and the broker be kind, until all is committed."""
    assert store.client is not None
    store.aborts, store.silences = [], 0
    store.client.takes()
    store.client.gives(*PARTITIONS)
    for _ in range(6):
        for number in PARTITIONS:
            store.client.flows(number, TRADES)
        running._turn_or_start_over()
    assert store.committed == dict.fromkeys(PARTITIONS, TRADES)


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("gives"), st.sets(st.sampled_from(PARTITIONS), min_size=1)),
        st.tuples(st.just("flows"), st.tuples(st.sampled_from(PARTITIONS), st.integers(1, 9))),
        st.tuples(st.just("aborts"), st.booleans()),
        st.tuples(st.sampled_from(["takes", "loses", "silence", "restart"]), st.none()),
        st.tuples(st.just("turn"), st.none()),
        st.tuples(st.just("turn"), st.none()),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(EVENTS)
def test_every_anomaly_and_letter_is_published_once_whatever_happens_in_between(
    events: list[tuple[str, Any]],
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        store = stored(monkeypatch)
        running = detector(store)
        for event, detail in events:
            assert store.client is not None
            if event == "gives":
                store.client.takes()
                store.client.gives(*sorted(detail))
            elif event == "flows":
                store.client.flows(*detail)
            elif event == "aborts":
                store.aborts.append(detail)
            elif event == "silence":
                store.silences = 2
            elif event == "restart":  # killed: what was not committed is aborted by its successor
                store.pending = []
                running = detector(store)
            elif event == "turn":
                running._turn_or_start_over()
            else:
                getattr(store.client, event)()
        finish(store, running)
    assert published(store) == expected()
    letters = [m["value"] for topic, m in store.visible if topic == "dead-letters"]
    assert letters == [b"no trade"] * len(PARTITIONS)


def test_there_is_something_to_find() -> None:
    labels = {label for found in expected().values() for label in found}
    assert labels == {"High Volume", "Rapid Price Change"}


def test_loss_to_retention_is_committed_even_if_nothing_comes_behind_it(store: Store) -> None:
    running = detector(store)
    assert store.client is not None

    def starts(_consumer: object, _admin: object, partitions: list[TopicPartition]) -> list[Start]:
        return [Start("trades", p.partition, 3, TRADES) for p in partitions]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(service, "find_starts", starts)
        store.client.gives(0)
        running._turn_or_start_over()
        running._turn_or_start_over()
        store.client.flows(0, 1)
        running._turn_or_start_over()
    assert store.committed == {0: TRADES}
    assert store.visible == []


def test_partition_that_comes_back_as_it_went_is_not_replayed(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    running = detector(store)
    assert store.client is not None
    for _ in range(2):
        store.client.takes()
        store.client.gives(0)
        running._turn_or_start_over()
        running._turn_or_start_over()
        store.client.flows(0, 9)
        running._turn_or_start_over()
    assigned = [line for line in capsys.readouterr().out.splitlines() if "assigned" in line]
    assert len(assigned) == 2
    assert all("to_replay=0" in line for line in assigned)
    assert store.committed == {0: 18}
