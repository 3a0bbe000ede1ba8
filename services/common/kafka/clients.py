"""Kafka clients, configured as every service needs them."""

import logging
import time
from typing import Any

import structlog
from confluent_kafka import (
    Consumer,
    KafkaError,
    Producer,
)
from confluent_kafka.admin import AdminClient

from services.common.kafka.connection import KafkaConnection
from services.common.process.readiness import LOG_EVERY_S

REQUEST_TIMEOUT_S = 5.0
SESSION_TIMEOUT_MS = 6_000
READS_ONLY = "tapewatch-reads-only"
"""Group of consumers that choose their partitions themselves; nobody joins it."""

# librdkafka reports each failed connection attempt; the services say once that they wait.
_quiet = logging.getLogger("tapewatch.librdkafka")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


def client_config(kafka: KafkaConnection) -> dict[str, Any]:
    """Return the settings that every client of this cluster needs."""
    return {
        **kafka.client_settings(),
        "logger": _quiet,
        "reconnect.backoff.max.ms": 1000,
        # A client that asked while a broker was going down may not know the new leaders until it asks again:
        # with librdkafka's 5 minutes a reader waited for that long.
        "topic.metadata.refresh.interval.ms": 30_000,
        "broker.address.family": "v4",
        "error_cb": _Outages(kafka).note,
    }


class _Outages:
    """Logs now and then for one client that no broker answers, or that none accepts it any more."""

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._next_s = 0.0
        self._rejection: KafkaError | None = None

    def note(self, error: KafkaError) -> None:
        if error.code() in (KafkaError._SSL, KafkaError._AUTHENTICATION):
            self._rejection = error
        if error.code() != KafkaError._ALL_BROKERS_DOWN or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + LOG_EVERY_S
        rejection, self._rejection = self._rejection, None
        if rejection is None:
            structlog.get_logger().warning(f"waiting for Kafka at {self._kafka}", error=error.str())
        else:
            structlog.get_logger().error(
                f"waiting for Kafka at {self._kafka}, which does not accept this client",
                error=rejection.str(),
                hint="Run `tapewatch doctor` with the same settings: it names the cause and the fix.",
            )


def new_admin(kafka: KafkaConnection) -> AdminClient:
    """Return a client for topics and offsets."""
    return AdminClient(client_config(kafka))


def new_producer(kafka: KafkaConnection, **config: object) -> Producer:
    """Return an idempotent producer; `config` adds librdkafka settings.

    Keys go to partitions as Java clients send them, so that others may publish to the same topics.
    """
    return Producer(
        client_config(kafka)
        | {
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "message.max.bytes": 2_200_000,
            "queue.buffering.max.messages": 500_000,
            # Only failures are reported: a callback for each of millions of successes costs too much.
            "delivery.report.only.error": True,
        }
        | config
    )


def new_consumer(kafka: KafkaConnection, group: str, **config: object) -> Consumer:
    """Return a consumer of committed records that commits only when told to."""
    return Consumer(
        client_config(kafka)
        | {
            "group.id": group,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            # The partitions of a process that was killed go to others after that.
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "fetch.message.max.bytes": 4_000_000,
            "queued.max.messages.kbytes": 65_536,
            # Until a full queue fetches again; with the default of 1 s a fast reader starves.
            "fetch.queue.backoff.ms": 10,
        }
        | config
    )
