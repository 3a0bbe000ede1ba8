"""The time from a trade's arrival in Kafka until it can be searched, and until its anomaly is in Kafka.

`benchmarks/trade_sender.py` sends single trades at a rate; `tapewatch detect` and `tapewatch index` run as in
production, with transactions and with Elasticsearch's refresh of a second. Both times begin with the time
stamp that the broker gave the trade when it appended it to `trades`. The first ends when a search, made every
20 ms, finds that trade or one sent later. The second ends when a consumer in this process has read the
trade's anomaly from `anomalies`, committed; for it indexer and Elasticsearch are stopped. All that runs
shares the machine's cores. The detector's processor time is that of its process, all of its threads.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec

from benchmarks.feed import PROFILE, running_service
from benchmarks.rows import Row
from benchmarks.surroundings import PROJECT, environment, note, processor_s, run_command
from benchmarks.topics import appended_s, topic_sizes
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.observability.samples import to_samples
from services.contracts.topics import ANOMALIES_TOPIC, CHECKPOINTS_TOPIC

RATE = 5_000
SECONDS, WARM_UP_S, AFTER_S = 20.0, 20.0, 3.0
SEARCH_EVERY_S = 0.02
FEWEST = 50
TIMEOUT_S = 120.0
OF_TRANSACTIONS = ("__transaction_state", "__consumer_offsets", CHECKPOINTS_TOPIC)
"""Topics that exactly-once delivery writes to."""

Times = dict[int, float]
"""Seconds since 1970, by the numbers of trades."""


def measure() -> list[Row]:
    """Measure both."""
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config, report=note) as stack, tempfile.TemporaryDirectory() as scratch:
        folder, kafka = Path(scratch), KafkaConnection(stack.kafka_bootstrap)
        variables = environment(stack.kafka_bootstrap) | {"TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url}
        run_command(variables, TIMEOUT_S, "setup")
        profile = folder / "apart.yaml"
        profile.write_text(PROFILE)
        detect = ("detect", "--profile", str(profile))
        port = free_port()
        variables_detector = variables | {"TAPEWATCH_METRICS_PORT": str(port)}
        with running_service(detect, variables_detector, folder / "detector.log") as detector:
            with running_service(("index",), variables, folder / "indexer.log"):
                found = _sending(0, variables, lambda: _found(stack.elasticsearch_url))
            stack.elasticsearch.stop()
            kafka_folder = stack.data_dir / "kafka" / "data"
            before = _Used.now(detector.pid, port, kafka_folder)
            read = _sending(len(found), variables, lambda: _read(kafka))
            used = _Used.now(detector.pid, port, kafka_folder).since(before)
        appended = {int(trade_id): at_s for trade_id, at_s in appended_s(stack.kafka_bootstrap).items()}
    at_rate = f"{RATE:,} trades a second"
    return [
        *_rows(f"latency: a trade in Kafka to its anomaly in Kafka, {at_rate}", read, appended, (30, 60)),
        Row(f"latency: the detector's processor meanwhile, {at_rate}", used.processor_s, "cores"),
        Row(f"latency: the detector's transactions meanwhile, {at_rate}", used.commits, "transactions/s"),
        Row(f"latency: what they take in Kafka, {at_rate}", used.bytes_kept / 1000, "kB/s"),
        *_rows(
            f"latency: a trade in Kafka until it can be searched, {at_rate}", found, appended, (600, 1_200)
        ),
    ]


@dataclass(frozen=True)
class _Used:
    """What the detector has used since it started, or in a second.

    Parameters
    ----------
    processor_s
        Its processor time.
    commits
        Its transactions.
    bytes_kept
        What the broker keeps of transactions, offsets and checkpoints.
    """

    processor_s: float
    commits: float
    bytes_kept: float

    @classmethod
    def now(cls, pid: int, port: int, kafka_folder: Path) -> "_Used":
        """Look at the process, its metrics and the broker's folder."""
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S) as answer:
            samples = to_samples(answer.read().decode())
        commits = sum(count for _, count in samples.get("tapewatch_commit_seconds_count", []))
        sizes = topic_sizes(kafka_folder)
        return cls(processor_s(pid), commits, sum(sizes.get(topic, 0) for topic in OF_TRANSACTIONS))

    def since(self, before: "_Used") -> "_Used":
        """Return what was used in each second between two looks."""
        seconds = WARM_UP_S + SECONDS + AFTER_S
        return _Used(
            (self.processor_s - before.processor_s) / seconds,
            (self.commits - before.commits) / seconds,
            (self.bytes_kept - before.bytes_kept) / seconds,
        )


def _rows(name: str, ends: Times, appended: Times, targets_ms: tuple[int, int]) -> list[Row]:
    begins_s = min(appended[number] for number in ends) + WARM_UP_S
    delays = [1000 * (at - appended[number]) for number, at in ends.items() if appended[number] >= begins_s]
    if len(delays) < FEWEST:
        raise TapewatchError(
            f"Only {len(delays)} trades were seen.", "The machine is too busy for this rate."
        )
    p50, p99 = statistics.median(delays), statistics.quantiles(delays, n=100)[98]
    note(f"{name}: {len(delays):,} of them, {p50:.0f} and {p99:.0f} ms")
    return [
        Row(f"{name}, median", p50, "ms", target=f"{targets_ms[0]:,} at most"),
        Row(f"{name}, 99 of 100 within", p99, "ms", target=f"{targets_ms[1]:,} at most"),
    ]


def _sending(first: int, variables: dict[str, str], watch: Callable[[], Times]) -> Times:
    """Watch while trades are sent, from a number on."""
    arguments = [str(first), str(RATE), str(WARM_UP_S + SECONDS)]
    sender = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.trade_sender", *arguments], env=variables, cwd=PROJECT
    )
    try:
        return watch()
    finally:
        sender.terminate()
        sender.wait()


def _read(kafka: KafkaConnection) -> Times:
    """Return when the anomaly of each trade that has one could be read."""
    consumer = new_consumer(kafka, "benchmark-latency", **{"auto.offset.reset": "latest"})
    read: Times = {}
    ends_s = time.monotonic() + WARM_UP_S + SECONDS + AFTER_S
    try:
        consumer.subscribe([ANOMALIES_TOPIC])
        while time.monotonic() < ends_s:
            message = consumer.poll(0.1)
            now_s = time.time()
            if message is not None and message.error() is None and message.value() is not None:
                anomaly = msgspec.json.decode(message.value() or b"{}")
                if anomaly.get("revision", 1) == 1:  # later ones are of trades that came long before
                    read.setdefault(int(anomaly["trade_id"]), now_s)
    finally:
        consumer.close()
    return read


def _found(url: str) -> Times:
    """Return when each trade, or one sent later, could be found."""
    found: Times = {}
    ends_s = time.monotonic() + WARM_UP_S + SECONDS + AFTER_S
    newest: dict[str, Any] = {
        "size": 1,
        "sort": [{"@timestamp": "desc"}],
        "source": ["trade_id"],
        "track_total_hits": False,
    }
    with new_client(url) as client:
        while time.monotonic() < ends_s:
            hits = client.search(index="trades-*", ignore_unavailable=True, **newest)["hits"]["hits"]
            now_s = time.time()
            for number in range(len(found), int(hits[0]["_source"]["trade_id"]) + 1 if hits else 0):
                found[number] = now_s
            time.sleep(SEARCH_EVERY_S)
    return found
