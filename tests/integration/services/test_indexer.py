"""The indexer with servers that stop, hang and recover; each test uses a different month."""

import datetime as dt
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from infra.embedded.server import Server
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from services.common.kafka.clients import new_consumer, new_producer
from services.common.kafka.reading import partition_numbers
from services.common.process.readiness import LOG_EVERY_S
from services.contracts.components import INDEXER
from services.contracts.topics import DEFAULT_PARTITIONS, ONE_PARTITION
from services.indexer.sinks.elasticsearch.sink import ElasticsearchSink
from tests.integration.pipeline import (
    addresses,
    documents,
    http_get,
    letters,
    log_lines,
    metrics,
    set_up,
    started,
    tapewatch,
    wait_for,
    wait_until,
)
from tests.narrow import present
from tests.samples import trade_json

STOP_WITHIN_S = 10
MANY = 30_000
OUTAGES = ["hang", *(pytest.param(how, marks=pytest.mark.slow) for how in ("kill", "stop"))]


@dataclass(frozen=True)
class Retraction:
    """A message without a value."""

    headers: dict[str, str]


def trade(day: str, number: int, **changes: object) -> bytes:
    timestamp = f"{day}T15:00:00.{number:09}Z"
    return trade_json(number, **({"@timestamp": timestamp, "trade_id": f"{day}-{number}"} | changes))


def publish(stack: EmbeddedStack, topic: str, *values: bytes | Retraction) -> None:
    producer = new_producer(stack.kafka_connection)
    for value in values:
        if isinstance(value, Retraction):
            producer.produce(topic, key=b"INDEXER", headers={**value.headers})
        else:
            producer.produce(topic, key=b"INDEXER", value=value)
    assert producer.flush(60) == 0


def catch_up(stack: EmbeddedStack) -> dict[str, object]:
    """Index to the end; return the last line of the log."""
    return log_lines(tapewatch(stack, "index", "--until-idle", "1").stderr, "indexed")[-1]


class Indexer:
    """A running `tapewatch index`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def wait_for(self, text: str) -> None:
        wait_for(self.log, text, self.process)

    def stop(self) -> None:
        """Request a stop, and expect the process to exit in time."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_WITHIN_S) == 0, self.log.read_text()


@contextmanager
def running_indexer(
    stack: EmbeddedStack, log: Path, until: str = '"assigned"', **env: str
) -> Iterator[Indexer]:
    """An indexer that has its partitions, or has logged another text."""
    with started(log, "index", **addresses(stack), **env) as process:
        indexer = Indexer(process, log)
        indexer.wait_for(until)
        yield indexer


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    """A server that accepts connections but does not answer."""
    pid = present(server.pid)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def away(server: Server, how: str) -> Iterator[None]:
    """A server that hangs, or was killed or stopped, and is running again at the end."""
    if how == "hang":
        with hanging(server):
            yield
        return
    getattr(server, how)()
    try:
        yield
    finally:
        server.start()


def count(stack: EmbeddedStack, index: str) -> int:
    """Count the searchable documents; 0 while the index is being created."""
    with new_client(stack.elasticsearch_url) as client:
        client.indices.refresh(index=index, ignore_unavailable=True)
        answer = client.options(ignore_status=503).count(index=index, ignore_unavailable=True)
        return int(answer.get("count", 0))


def wait_for_count(indexer: Indexer, stack: EmbeddedStack, index: str, least: int) -> None:
    wait_until(lambda: count(stack, index) >= least, indexer.log)


def end_of(consumer: Consumer, partition: TopicPartition) -> int:
    """Return where a partition ends; one that was created a moment ago may have no leader yet."""
    deadline_s = time.monotonic() + 30
    while True:
        try:
            _, end = consumer.get_watermark_offsets(partition, timeout=30)
        except KafkaException:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)
        else:
            return int(end)


def uncommitted(stack: EmbeddedStack) -> dict[tuple[str, int], tuple[int, int]]:
    """Return committed and end offsets of the partitions where they differ."""
    consumer: Consumer = new_consumer(stack.kafka_connection, INDEXER.group)
    partitions = [
        TopicPartition(topic, number)
        for topic in ("trades", "anomalies")
        for number in partition_numbers(consumer, topic)
    ]
    differ = {}
    for partition in consumer.committed(partitions, timeout=30):
        end = end_of(consumer, partition)
        if max(partition.offset, 0) != end:
            differ[partition.topic, partition.partition] = (partition.offset, end)
    consumer.close()
    return differ


@pytest.fixture(autouse=True)
def clean_start(stack: EmbeddedStack) -> None:
    set_up(stack)
    if uncommitted(stack):
        catch_up(stack)


def test_indexer_without_a_detector_writes_the_letter_of_what_is_no_trade(stack: EmbeddedStack) -> None:
    garbage = [b"not json at all, for the indexer alone", b"[1, 2, 3]"]
    publish(stack, "trades", trade("2022-12-01", 1), *garbage, trade("2022-12-01", 2))
    end = catch_up(stack)
    assert len(documents(stack, "trades-2022.12.01")) == 2
    mine = [(headers["service"], value) for headers, value in letters(stack) if value in garbage]
    assert mine == [("indexer", value) for value in garbage]
    assert (end["documents"], end["dead_letters"]) == (2, 2)


def test_document_rejected_for_good_is_a_dead_letter_and_the_rest_of_its_request_is_indexed(
    stack: EmbeddedStack,
) -> None:
    poison = [trade("2023-01-01", n, surprise=n) for n in (100, 200)]
    good = [trade("2023-01-01", n) for n in range(100)]
    publish(stack, "trades", *good[:50], *poison, *good[50:])
    end = catch_up(stack)
    assert len(documents(stack, "trades-2023.01.01")) == len(good)
    mine = [(headers, value) for headers, value in letters(stack) if value in poison]
    assert [value for _, value in mine] == poison
    for headers, _ in mine:
        assert headers["service"] == "indexer"
        assert "strict_dynamic_mapping_exception" in headers["error"]
    assert (end["documents"], end["dead_letters"]) == (len(good), len(poison))


def test_retraction_deletes_only_its_anomaly(stack: EmbeddedStack) -> None:
    publish(stack, "anomalies", trade("2023-02-01", 1), trade("2023-02-01", 2))
    catch_up(stack)
    retraction = {"trade_id": "2023-02-01-1", "timestamp": "2023-02-01T15:00:00.000000001Z"}
    publish(stack, "anomalies", Retraction(retraction))
    end = catch_up(stack)
    assert documents(stack, "anomalies-2023.02").keys() == {"2023-02-01-2"}
    assert (end["documents"], end["retractions"], end["dead_letters"]) == (0, 1, 0)


def test_anomaly_flagged_taken_back_and_flagged_again_in_one_go_is_there(stack: EmbeddedStack) -> None:
    retraction = Retraction({"trade_id": "2023-02-02-1", "timestamp": "2023-02-02T15:00:00Z"})
    to_and_fro = [message for n in range(20) for message in (trade("2023-02-02", 1, size=n), retraction)]
    publish(stack, "anomalies", *to_and_fro, trade("2023-02-02", 1, size=99))
    catch_up(stack)
    assert documents(stack, "anomalies-2023.02")["2023-02-02-1"]["size"] == 99


def test_retraction_of_what_was_never_there_succeeds_and_creates_no_index(stack: EmbeddedStack) -> None:
    publish(stack, "anomalies", Retraction({"trade_id": "none", "timestamp": "2023-03-01T15:00:00Z"}))
    end = catch_up(stack)
    assert (end["retractions"], end["dead_letters"]) == (1, 0)
    with new_client(stack.elasticsearch_url) as client:
        assert not client.indices.exists(index="anomalies-2023.03")


def test_message_without_a_value_or_usable_headers_is_a_dead_letter(stack: EmbeddedStack) -> None:
    publish(stack, "anomalies", Retraction({"trade_id": "2023-03-02-1"}))
    assert catch_up(stack)["dead_letters"] == 1
    mine = [(h, v) for h, v in letters(stack) if "the header timestamp" in h["error"]]
    assert [(h["service"], h["topic"], v) for h, v in mine] == [("indexer", "anomalies", None)]


def test_last_of_many_versions_of_a_document_wins(stack: EmbeddedStack) -> None:
    """Number of documents: several batches, so that versions could be in flight at the same time."""
    ids, versions = 4_000, 5
    publish(
        stack,
        "trades",
        *(trade("2023-04-01", n, size=version) for version in range(versions) for n in range(ids)),
        *(trade("2023-04-01", 0, size=100 + version % 2) for version in range(200)),
    )
    catch_up(stack)
    found = documents(stack, "trades-2023.04.01")
    assert len(found) == ids
    assert found.pop("2023-04-01-0")["size"] == 101
    assert {document["size"] for document in found.values()} == {versions - 1}
    with new_client(stack.elasticsearch_url) as client:
        client.indices.delete(index="trades-2023.04.01")  # replaying its log takes long after a kill


def test_partial_batch_is_indexed_though_nothing_more_comes(stack: EmbeddedStack, tmp_path: Path) -> None:
    with running_indexer(stack, tmp_path / "log") as indexer:
        publish(stack, "trades", trade("2023-05-01", 1))
        wait_until(lambda: count(stack, "trades-2023.05.01") == 1, indexer.log)
        indexer.stop()


def test_metrics_tell_what_was_done(stack: EmbeddedStack, tmp_path: Path) -> None:
    with running_indexer(stack, tmp_path / "log") as indexer:
        taken_back = Retraction({"trade_id": "none", "timestamp": "2023-05-02T15:00:00Z"})
        publish(stack, "anomalies", trade("2023-05-02", 1), taken_back, Retraction({}))
        publish(stack, "trades", *(trade("2023-05-02", n) for n in range(300)))
        wait_until(lambda: not uncommitted(stack), indexer.log)
        wait_until(lambda: metrics(indexer.log)["tapewatch_documents_per_second"] > 0, indexer.log)
        lag = "tapewatch_lag_messages{indexer,trades}"  # looked at once a second
        wait_until(lambda: metrics(indexer.log)[lag] == 0, indexer.log)
        found = metrics(indexer.log)
        assert found["tapewatch_indexed_documents_total{trades}"] == 300
        assert found["tapewatch_indexed_documents_total{anomalies}"] == 1
        assert found["tapewatch_retractions_total"] == 1
        assert found["tapewatch_dead_letters_total{indexer}"] == 1
        assert found["tapewatch_bulk_retries_total"] == 0
        assert found["tapewatch_bulk_seconds_count"] > 0
        assert found["tapewatch_commit_seconds_count{indexer}"] > 0
        event = dt.datetime(2023, 5, 2, 15, tzinfo=dt.UTC)
        lag_s = (dt.datetime.now(dt.UTC) - event).total_seconds()
        assert found["tapewatch_event_time_lag_seconds{indexer}"] == pytest.approx(lag_s, abs=60)
        assert http_get(indexer.log, "/readyz") == (200, "ready\n")
        indexer.stop()


@pytest.mark.slow
def test_stop_while_elasticsearch_hangs_ends_in_time_and_nothing_is_lost(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    with running_indexer(stack, tmp_path / "log") as indexer, hanging(stack.elasticsearch):
        publish(stack, "trades", *(trade("2023-06-01", n) for n in range(2_000)))
        time.sleep(4)  # so that the batch is waited for with the partitions paused
        indexer.stop()
    assert "the next run sends the rest again" in indexer.log.read_text()
    catch_up(stack)
    assert count(stack, "trades-2023.06.01") == 2_000
    assert uncommitted(stack) == {}


def test_start_while_elasticsearch_hangs_can_be_stopped(stack: EmbeddedStack, tmp_path: Path) -> None:
    waits = "waiting for Elasticsearch"
    with hanging(stack.elasticsearch), running_indexer(stack, tmp_path / "log", until=waits) as indexer:
        indexer.stop()


@pytest.mark.slow
def test_stop_while_kafka_hangs_ends_in_time_and_nothing_is_lost(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    with running_indexer(stack, tmp_path / "log") as indexer:
        publish(stack, "trades", *(trade("2023-06-02", n) for n in range(MANY)))
        wait_for_count(indexer, stack, "trades-2023.06.02", 1)
        with hanging(stack.kafka):
            time.sleep(1)  # a commit is in flight by then
            indexer.stop()
    catch_up(stack)
    assert count(stack, "trades-2023.06.02") == MANY
    assert uncommitted(stack) == {}


@pytest.mark.parametrize("how", OUTAGES)
def test_nothing_is_lost_when_elasticsearch_is_away_in_the_middle(
    stack: EmbeddedStack, tmp_path: Path, how: str
) -> None:
    day = {"kill": "2023-07-01", "stop": "2023-07-02", "hang": "2023-07-03"}[how]
    index = f"trades-{day.replace('-', '.')}"
    with running_indexer(stack, tmp_path / "log") as indexer:
        publish(stack, "trades", *(trade(day, n) for n in range(MANY)))
        wait_for_count(indexer, stack, index, 1)
        began_s = time.monotonic()
        with away(stack.elasticsearch, how):
            publish(stack, "trades", *(trade(day, n) for n in range(MANY, MANY + 100)))
            time.sleep(3)
        wait_for_count(indexer, stack, index, MANY + 100)
        retries = metrics(indexer.log)["tapewatch_bulk_retries_total"]
        indexer.stop()
    assert log_lines(indexer.log, "indexed")[-1]["dead_letters"] == 0
    if how != "hang":
        assert retries > 0
        refusals = log_lines(indexer.log, "Elasticsearch rejected documents for now; trying again")
        assert 1 <= len(refusals) <= 1 + (time.monotonic() - began_s) / LOG_EVERY_S
    assert count(stack, index) == MANY + 100
    assert uncommitted(stack) == {}


@pytest.mark.parametrize("how", OUTAGES)
def test_commit_that_a_lost_broker_did_not_take_is_repeated(
    stack: EmbeddedStack, tmp_path: Path, how: str
) -> None:
    day = {"kill": "2023-08-01", "stop": "2023-08-02", "hang": "2023-08-03"}[how]
    index = f"trades-{day.replace('-', '.')}"
    with running_indexer(stack, tmp_path / "log") as indexer:
        with ExitStack() as outage:
            with hanging(stack.elasticsearch):
                publish(stack, "trades", *(trade(day, n) for n in range(3_000)))
                time.sleep(1)  # sent, but not answered
                outage.enter_context(away(stack.kafka, how))
            wait_for_count(indexer, stack, index, 3_000)
            time.sleep(3)
        wait_until(lambda: not uncommitted(stack), indexer.log)
        publish(stack, "trades", *(trade(day, n) for n in range(3_000, 3_100)))
        wait_for_count(indexer, stack, index, 3_100)
        indexer.stop()
    assert uncommitted(stack) == {}


@pytest.mark.slow
def test_instance_that_was_stopped_for_long_resumes(stack: EmbeddedStack, tmp_path: Path) -> None:
    """Its partitions are assigned to another instance meanwhile, and what it then sends is not committed."""
    with running_indexer(stack, tmp_path / "one", TAPEWATCH_INSTANCE="one") as one:
        with hanging(stack.elasticsearch):
            publish(stack, "trades", *(trade("2023-09-01", n) for n in range(7_000)))
            time.sleep(1)
            os.kill(one.process.pid, signal.SIGSTOP)
        with running_indexer(stack, tmp_path / "two", TAPEWATCH_INSTANCE="two") as two:
            wait_for_count(two, stack, "trades-2023.09.01", 7_000)
            os.kill(one.process.pid, signal.SIGCONT)
            one.wait_for("partitions lost")
            publish(stack, "trades", *(trade("2023-09-01", n) for n in range(7_000, 14_000)))
            wait_for_count(two, stack, "trades-2023.09.01", 14_000)
            two.stop()
        publish(stack, "trades", *(trade("2023-09-01", n) for n in range(14_000, 15_000)))
        wait_for_count(one, stack, "trades-2023.09.01", 15_000)
        one.stop()
    assert uncommitted(stack) == {}


@pytest.mark.slow
def test_two_indexers_of_one_name_share_the_partitions(stack: EmbeddedStack, tmp_path: Path) -> None:
    wanted = {
        f"{topic}/{number}"
        for topic in ElasticsearchSink.topics
        for number in range(1 if topic in ONE_PARTITION else DEFAULT_PARTITIONS)
    }

    def of(name: str) -> set[str]:
        return set(log_lines(tmp_path / name, "assigned")[-1]["partitions"])

    def are_shared() -> bool:
        first, second = of("first"), of("second")
        # A topic with one partition goes to one of them.
        least = len(wanted) // 2 - len(ONE_PARTITION)
        return first | second == wanted and not first & second and min(len(first), len(second)) >= least

    with (
        running_indexer(stack, tmp_path / "first", TAPEWATCH_INSTANCE="same") as first,
        running_indexer(stack, tmp_path / "second", TAPEWATCH_INSTANCE="same") as second,
    ):
        wait_until(are_shared, second.log)
        second.stop()
        wait_until(lambda: of("first") == wanted, first.log)
        first.stop()


@pytest.mark.slow
def test_instance_that_was_killed_gets_its_partitions_back_after_its_session(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    with running_indexer(stack, tmp_path / "log") as indexer:
        indexer.process.kill()
    began_s = time.monotonic()
    with running_indexer(stack, tmp_path / "again") as again:
        assert time.monotonic() - began_s < 6 + 8  # the session, and the start of a process
        again.stop()
