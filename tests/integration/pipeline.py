"""Runs the real commands against the embedded stack, and reads back what they left."""

import os
import subprocess
import sys
from typing import Any

import orjson
from confluent_kafka import Consumer, Message, TopicPartition
from elasticsearch import Elasticsearch, helpers

from infra.embedded.stack import EmbeddedStack
from infra.topics import PARTITIONS
from services.common.kafka import Positions, new_admin, new_consumer

TIMEOUT_S = 240


def tapewatch(stack: EmbeddedStack, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `tapewatch` with the stack's addresses and expect its exit code."""
    env = os.environ | {
        "TAPEWATCH_KAFKA": stack.kafka_bootstrap,
        "TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url,
        "POLARS_MAX_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def run_pipeline(stack: EmbeddedStack, *files: str) -> None:
    """Publish files, detect and index to the end."""
    tapewatch(stack, "setup")
    tapewatch(stack, "produce", *files)
    catch_up(stack)


def catch_up(stack: EmbeddedStack) -> None:
    """Detect and index what is in the topics."""
    tapewatch(stack, "detect", "--until-idle", "1")
    tapewatch(stack, "index", "--until-idle", "1")


def read_topic(stack: EmbeddedStack, topic: str) -> list[Message]:
    """Return every committed message of a topic."""
    admin = new_admin(stack.kafka_bootstrap)
    consumer: Consumer = new_consumer(stack.kafka_bootstrap, "reads-only")
    consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    positions = Positions()
    messages: list[Message] = []
    while not positions.at_end(consumer, admin):
        messages += positions.split(consumer.consume(10_000, 0.2))
    consumer.close()
    return messages


def documents(stack: EmbeddedStack, index: str, **query: object) -> dict[str, dict[str, Any]]:
    """Return every document that fits, by id."""
    with Elasticsearch(stack.elasticsearch_url, request_timeout=60) as client:
        client.indices.refresh(index=index)
        hits = helpers.scan(client, index=index, size=5_000, query={"query": query or {"match_all": {}}})
        return {hit["_id"]: hit["_source"] for hit in hits}


def letters(stack: EmbeddedStack) -> list[tuple[dict[str, str], bytes]]:
    """Return the dead letters' headers and values."""
    return [
        ({name: text.decode() for name, text in message.headers()}, message.value())
        for message in read_topic(stack, "dead-letters")
    ]


def anomaly_without_time(value: bytes | dict[str, Any]) -> dict[str, Any]:
    """Return an anomaly without `detected_at`, the one field that differs between runs."""
    fields = orjson.loads(value) if isinstance(value, bytes) else dict(value)
    del fields["detected_at"]
    return fields
