"""Runs the producer or the detector with or without exactly-once delivery, for `benchmarks/promise.py`.

python -m benchmarks.promise_child produce with|without FILE
python -m benchmarks.promise_child detect with|without
"""

import json
import sys
import time
from typing import Any
from unittest.mock import patch

from confluent_kafka import Consumer, TopicPartition

from services.common.config.settings import Settings
from services.common.kafka import consumer_loop
from services.common.kafka.clients import new_consumer, new_producer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.transactions import GroupMetadata, Transactions
from services.common.process.logs import configure_logs
from services.detector.live import service as detector
from services.detector.live.settings import DetectorSettings
from services.producer import publisher
from services.producer.metrics import TRADES
from services.producer.service import run_produce
from services.sources.files import open_sources

NEVER = 10**15


class NoTransactions(Transactions):
    """The same interface with a plain idempotent producer."""

    opened: "NoTransactions"
    consumer: Consumer | None = None

    def open(self) -> None:
        """Create the producer without fencing others."""
        NoTransactions.opened = self
        self.producer = new_producer(self._kafka, **self._config)

    def begin(self) -> None:
        """Do nothing: no transaction is begun."""

    def commit(
        self,
        offsets: list[TopicPartition] | None = None,
        group: GroupMetadata | None = None,  # noqa: ARG002
    ) -> None:
        """Send messages and commit offsets without waiting."""
        self.producer.poll(0)
        if offsets and NoTransactions.consumer is not None:
            NoTransactions.consumer.commit(offsets=offsets, asynchronous=True)


def remember_consumer(kafka: KafkaConnection, group: str, **config: object) -> Consumer:
    """Make the detector's consumer, and keep it for the commits."""
    NoTransactions.consumer = detector_consumer(kafka, group, **config)
    return NoTransactions.consumer


detector_consumer = new_consumer


def produce(file: str, promises: bool) -> None:
    """Publish a file again and print trades a second."""
    first_row_s: list[float] = []
    publish_rows = publisher.Publisher._publish_rows

    def timed(*arguments: Any) -> None:
        first_row_s.append(time.perf_counter())
        publish_rows(*arguments)

    with (
        patch.object(publisher.Publisher, "_publish_rows", timed),
        patch.object(publisher, "Transactions", Transactions if promises else NoTransactions),
    ):
        run_produce(open_sources([file]), Settings(), None, None, again=True)
        if not promises:
            NoTransactions.opened.producer.flush()
        seconds = time.perf_counter() - first_row_s[0]
    print(json.dumps({"trades_per_s": TRADES._value.get() / seconds}))


def detect(promises: bool) -> None:
    """Detect until stopped."""
    settings = DetectorSettings() if promises else DetectorSettings(checkpoint_trades=NEVER)
    if promises:
        detector.run_detect(settings, None, None, reset_first=False)
        return
    with (
        patch.object(detector, "Transactions", NoTransactions),
        patch.object(consumer_loop, "new_consumer", remember_consumer),
    ):
        detector.run_detect(settings, None, None, reset_first=False)


if __name__ == "__main__":
    configure_logs("benchmark")
    command, form, *files = sys.argv[1:]
    if command == "produce":
        produce(files[0], form == "with")
    else:
        detect(form == "with")
