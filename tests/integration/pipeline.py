"""Runs the real commands against the embedded stack, and reads back the results."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import orjson
import polars as pl
from confluent_kafka import Consumer, KafkaException, TopicPartition
from elasticsearch import Elasticsearch, helpers
from prometheus_client.parser import text_string_to_metric_families

from infra.embedded.stack import EmbeddedStack
from services.common.kafka.clients import new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers, read_to_end
from services.common.kafka.records import Record
from services.contracts.components import DETECTOR
from services.contracts.topics import DEAD_LETTERS_TOPIC, TRADES_TOPIC
from services.dead_letters.letters import Letter, Origins
from services.sources.synthetic.day import DayConfig, write_day
from tests.narrow import headers_of, moment
from tests.stops import AskedFor

TIMEOUT_S = 240
READ_TIMEOUT_S = 5.0


class Broker(Protocol):
    """An object with the address of a Kafka."""

    @property
    def kafka_connection(self) -> KafkaConnection:
        """Connection for clients."""


def addresses(stack: EmbeddedStack) -> dict[str, str]:
    """Return the environment variables with the stack's addresses."""
    return {"TAPEWATCH_KAFKA": stack.kafka_bootstrap, "TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url}


def tapewatch(
    stack: EmbeddedStack, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `tapewatch` with the stack's addresses and further variables, and expect its exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env=_env() | addresses(stack) | dict(env or {}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


@contextmanager
def started(log: Path, *arguments: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `tapewatch` in the background until the end of the block; kill it if it still runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_env() | env,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _env() -> dict[str, str]:
    return os.environ | {"POLARS_MAX_THREADS": "1", "TAPEWATCH_METRICS_PORT": "0"}


def wait_for(log: Path, text: str, process: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
    """Wait until a process has logged a text."""
    deadline_s = time.monotonic() + timeout_s
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.02)


def wait_until(is_so: Callable[[], bool], log: Path, timeout_s: float = 60) -> None:
    """Wait for a condition; a failure shows the log."""
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.05)


def log_lines(log: Path | str, event: str) -> list[dict[str, Any]]:
    """Return the fields of the log lines with this event; other lines are ignored."""
    text = log if isinstance(log, str) else log.read_text()
    lines = [orjson.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in lines if line["event"] == event]


def http_get(log: Path, path: str) -> tuple[int, str]:
    """Request a path from a service, at the address in its log once it has one; return status and body."""
    wait_until(lambda: bool(log_lines(log, "metrics")), log)
    address = log_lines(log, "metrics")[-1]["address"]
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=READ_TIMEOUT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def metrics(log: Path) -> dict[str, float]:
    """Return a service's metrics by name and the values of the labels, `name{a,b}`."""
    status, text = http_get(log, "/metrics")
    assert status == 200
    return {
        f"{sample.name}{{{','.join(sample.labels.values())}}}" if sample.labels else sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def set_up(stack: EmbeddedStack) -> None:
    """Run `tapewatch setup` once for a stack, which takes as long as a short test."""
    if stack.kafka_bootstrap not in _set_up:
        tapewatch(stack, "setup")
        _set_up.add(stack.kafka_bootstrap)


_set_up: set[str] = set()


def run_pipeline(stack: EmbeddedStack, *files: str) -> None:
    """Publish files, detect and index to the end."""
    set_up(stack)
    tapewatch(stack, "produce", *files)
    catch_up(stack)


def catch_up(stack: EmbeddedStack) -> None:
    """Detect and index everything in the topics."""
    tapewatch(stack, "detect", "--until-idle", "1")
    tapewatch(stack, "index", "--until-idle", "1")


def ends(stack: EmbeddedStack, topic: str) -> list[TopicPartition]:
    """Return the current end offsets of a topic's partitions."""
    consumer: Consumer = new_consumer(stack.kafka_connection, "reads-only")
    found = [
        TopicPartition(topic, number, _end(consumer, TopicPartition(topic, number)))
        for number in partition_numbers(consumer, topic)
    ]
    consumer.close()
    return found


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """Return a partition's end; of one that was just created the client may not know the leader yet."""
    deadline_s = time.monotonic() + READ_TIMEOUT_S
    while True:
        try:
            return int(consumer.get_watermark_offsets(partition, READ_TIMEOUT_S)[1])
        except KafkaException:
            if time.monotonic() >= deadline_s:
                raise
            time.sleep(0.1)


def is_detected(stack: EmbeddedStack) -> bool:
    """Tell whether the detectors have committed everything that is now in `trades`."""
    consumer: Consumer = new_consumer(stack.kafka_connection, DETECTOR.group)
    wanted = [TopicPartition(TRADES_TOPIC, number) for number in partition_numbers(consumer, TRADES_TOPIC)]
    committed = consumer.committed(wanted, READ_TIMEOUT_S)
    consumer.close()
    return all(
        max(c.offset, 0) >= end.offset for c, end in zip(committed, ends(stack, TRADES_TOPIC), strict=True)
    )


def read_topic(broker: Broker, topic: str, since: list[TopicPartition] | None = None) -> list[Record]:
    """Return all committed messages of a topic, or those from the given offsets on."""
    admin = new_admin(broker.kafka_connection)
    starts = since or [TopicPartition(topic, number, 0) for number in partition_numbers(admin, topic)]
    return list(read_to_end(broker.kafka_connection, starts, AskedFor()))


def documents(stack: EmbeddedStack, index: str, **query: object) -> dict[str, dict[str, Any]]:
    """Return all matching documents by id."""
    with Elasticsearch(stack.elasticsearch_url, request_timeout=60) as client:
        client.indices.refresh(index=index)
        hits = helpers.scan(client, index=index, size=5_000, query={"query": query or {"match_all": {}}})
        return {hit["_id"]: hit["_source"] for hit in hits}


def first_letters(broker: Broker, since: list[TopicPartition] | None = None) -> list[Record]:
    """Return the first dead letter of each origin, or of origins without one before the given offsets."""
    starts = {} if since is None else {partition.partition: partition.offset for partition in since}
    origins = Origins()
    first = [
        letter for letter in read_topic(broker, DEAD_LETTERS_TOPIC) if origins.is_first(Letter.of(letter))
    ]
    return [letter for letter in first if letter.offset() >= starts.get(letter.partition(), 0)]


def letters(broker: Broker) -> list[tuple[dict[str, str], bytes | None]]:
    """Return the headers and values of the first dead letter of each origin."""
    return [
        ({name: text.decode() for name, text in headers_of(message).items()}, message.value())
        for message in first_letters(broker)
    ]


def anomaly_without_time(value: bytes | dict[str, Any]) -> dict[str, Any]:
    """Return an anomaly without `detected_at`, the only field that differs between runs."""
    fields = orjson.loads(value) if isinstance(value, bytes) else dict(value)
    del fields["detected_at"]
    return fields


def backtested(stack: EmbeddedStack, path: Path, profile: str = "default") -> dict[str, dict[str, Any]]:
    """Return the anomalies that `tapewatch backtest` finds in a file, by `trade_id`, without their time."""
    output = path.with_suffix(f".{profile}.ndjson")
    tapewatch(stack, "backtest", str(path), "--profile", profile, "--output", str(output))
    return by_trade_id(output.read_bytes().splitlines())


def by_trade_id(values: Iterable[bytes | dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return anomalies without their time, each in its last revision; fail if one of these is there twice."""
    found = [anomaly_without_time(value) for value in values]
    by_id = {fields["trade_id"]: fields for fields in found}
    assert len({(fields["trade_id"], fields.get("revision")) for fields in found}) == len(found)
    return by_id


def write_own_day(path: Path, config: DayConfig, suffix: str) -> Path:
    """Generate a day as plain CSV, whose symbols end in `suffix`, so that no other test has them."""
    write_day(config, path, path.with_suffix(".labels.csv"))
    header, _, rows = path.read_text().partition("\n")
    path.write_text(header + "\n" + rows.replace("\n", f"{suffix}\n"))  # the symbol stands last
    return path


def speed_for(path: Path, seconds: float) -> str:
    """Return the `--speed` at which publishing a file takes the given time."""
    times = pl.read_csv(path, columns=["ts_event"])["ts_event"].str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ")
    return str((moment(times.max()) - moment(times.min())).total_seconds() / seconds)
