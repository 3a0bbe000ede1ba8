"""Single turns of a detector's loop, with an abort, a stop or a restart between two of its steps."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from infra.embedded.stack import EmbeddedStack
from services.common.kafka.clients import new_admin, new_producer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import newest_by_key, partition_numbers
from services.common.kafka.transactions import Transactions
from services.common.observability.health import Health
from services.common.process.shutdown import Stop
from services.detector.live import service
from services.detector.live.service import DetectorService
from services.detector.live.settings import DetectorSettings
from services.detector.profiles.profile import load_profile
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import backtested, by_trade_id, read_topic, set_up, tapewatch, write_own_day
from tests.narrow import value_of
from tests.samples import trade_json
from tests.stops import AskedFor

SUFFIX = "TN"


def working_detector(stack: EmbeddedStack, stop: Stop) -> tuple[DetectorService, Transactions, Health]:
    health = Health()
    kafka = stack.kafka_connection
    transactions = Transactions(kafka, "tapewatch-turns", stop, health.beat)
    settings = DetectorSettings(checkpoint_trades=10_000_000)
    return (
        DetectorService(settings, kafka, load_profile(None), "turns", transactions, stop, health),
        transactions,
        health,
    )


@pytest.mark.slow
def test_stop_right_after_an_abort_commits_nothing_that_was_not_scored(
    stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = DayConfig(trades=6_000, symbols=2, date=dt.date(2023, 5, 9), seed=25, anomaly_rate=0.005)
    day = write_own_day(tmp_path / "day.csv", config, SUFFIX)
    set_up(stack)
    tapewatch(stack, "detect", "--until-idle", "0.5")
    tapewatch(stack, "produce", str(day))
    stop = AskedFor()
    detector, transactions, _ = working_detector(stack, stop)
    aborted: list[list[TopicPartition]] = []

    def commit_or_abort(offsets: list[TopicPartition], group: object) -> None:
        if not aborted:
            aborted.append(offsets)
            transactions.abort("as after an outage")
        committing(offsets, group)

    def load_until_stopped(
        kafka: KafkaConnection, topic: str, numbers: list[int], asked: Stop
    ) -> dict[int, dict[bytes, bytes]]:
        if aborted:
            stop.request()
        return newest_by_key(kafka, topic, numbers, asked)

    committing = transactions.commit
    monkeypatch.setattr(transactions, "commit", commit_or_abort)
    monkeypatch.setattr(service, "newest_by_key", load_until_stopped)
    monkeypatch.setattr(service, "MAX_BATCH_TRADES", 500)
    monkeypatch.setattr(service, "LOADED_TRADES", 500)
    monkeypatch.setattr(service, "COMMIT_S", 0.0)
    detector.run(None)
    detector.close()
    assert stop.requested

    tapewatch(stack, "detect", "--until-idle", "0.5")
    found = [
        value_of(m) for m in read_topic(stack, "anomalies") if (m.key() or b"").endswith(SUFFIX.encode())
    ]
    expected = backtested(stack, day)
    assert expected
    assert by_trade_id(found) == expected


@pytest.mark.slow
def test_each_commit_is_fenced_by_offsets_even_when_nothing_new_was_read(
    stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(stack)
    publish_without_markers(stack)
    tapewatch(stack, "detect", "--until-idle", "0.5")
    stop = AskedFor()
    detector, transactions, health = working_detector(stack, stop)
    commits: list[list[TopicPartition]] = []
    committing = transactions.commit

    def note(offsets: list[TopicPartition], group: object) -> None:
        commits.append(offsets)
        committing(offsets, group)

    monkeypatch.setattr(transactions, "commit", note)
    ready = watched(health)
    detector.run(until_idle_s=0.5)
    detector.close()
    assert commits  # the end of the replay is committed
    assert all(commits)
    assert ready() == [True, False]


def publish_without_markers(stack: EmbeddedStack) -> None:
    """Publish without transactions, so that no marker follows the last trade of a partition."""
    producer = new_producer(stack.kafka_connection)
    for partition in partition_numbers(new_admin(stack.kafka_connection), "trades"):
        at = {"@timestamp": "2023-05-10T15:00:00.000000001Z", "trade_id": f"turns-{partition}"}
        value = trade_json(partition, **at, symbol=f"P{partition}{SUFFIX}")
        producer.produce("trades", key=f"P{partition}{SUFFIX}".encode(), value=value, partition=partition)
    assert producer.flush(10) == 0


def watched(health: Health) -> Callable[[], list[bool]]:
    """Return a function that reports each change of `ready` from now on."""
    seen: list[bool] = []

    class Watched(Health):
        def __setattr__(self, name: str, value: object) -> None:
            if name == "ready" and (not seen or seen[-1] != value):
                seen.append(bool(value))
            super().__setattr__(name, value)

    health.__class__ = Watched
    return lambda: seen
