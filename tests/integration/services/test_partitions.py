"""The whole pipeline with other numbers of partitions than the default."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.kafka.clients import new_admin
from services.common.kafka.reading import partition_numbers
from services.contracts.topics import ONE_PARTITION, TOPICS
from services.sources.synthetic.day import DayConfig, write_day
from tests.integration.pipeline import (
    anomaly_without_time,
    backtested,
    by_trade_id,
    documents,
    read_topic,
    run_pipeline,
    tapewatch,
)
from tests.narrow import value_of

pytestmark = pytest.mark.slow

DAY = DayConfig(trades=12_000, symbols=40, anomaly_rate=0.002)


@pytest.fixture(params=[1, 24])
def partitions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Number of partitions, set in `TAPEWATCH_PARTITIONS`."""
    monkeypatch.setenv("TAPEWATCH_PARTITIONS", str(request.param))
    return int(request.param)


@pytest.fixture
def own_stack() -> Iterator[EmbeddedStack]:
    """A stack without topics."""
    with EmbeddedStack(StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())) as running:
        yield running


def test_the_pipeline_does_not_depend_on_the_number(
    own_stack: EmbeddedStack, partitions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = tmp_path / "day.csv"
    write_day(DAY, day, tmp_path / "labels.csv")

    run_pipeline(own_stack, str(day))

    admin = new_admin(own_stack.kafka_connection)
    assert {topic: len(partition_numbers(admin, topic)) for topic in TOPICS} == {
        topic: 1 if topic in ONE_PARTITION else partitions for topic in TOPICS
    }
    expected = backtested(own_stack, day)
    anomalies = read_topic(own_stack, "anomalies")
    assert expected
    assert by_trade_id(value_of(message) for message in anomalies) == expected
    trades = read_topic(own_stack, "trades")
    assert len(trades) == DAY.trades
    busy = {message.partition() for message in trades}
    assert {message.partition() for message in anomalies} <= busy
    assert len(busy) > partitions / 2
    assert len(documents(own_stack, "trades-*")) == DAY.trades
    found = documents(own_stack, "anomalies-*")
    assert {name: anomaly_without_time(fields) for name, fields in found.items()} == expected

    # A number is for topics that are created: those that exist keep theirs.
    monkeypatch.delenv("TAPEWATCH_PARTITIONS")
    assert tapewatch(own_stack, "setup").stdout == "everything is set up already\n"
    admin.delete_topics(["anomalies"])["anomalies"].result(20)
    again = tapewatch(own_stack, "setup")
    created = f"created topic anomalies ({partitions} partition{'' if partitions == 1 else 's'})"
    assert again.stdout.splitlines() == [created]
