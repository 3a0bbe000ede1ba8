"""Silences from the dashboard: written to real Kafka, indexed, and found again with what they held back."""

import datetime as dt
import time
from collections.abc import Iterator

import msgspec
import pytest

from dashboard.server.elastic import open_client
from dashboard.server.silences import find_names, find_silences
from infra.embedded.stack import EmbeddedStack
from services.alerter.silencing.writing import add_silence, end_silence
from services.common.elastic.client import Elasticsearch
from services.common.kafka.clients import new_producer
from services.contracts.alert import Matcher, Outcome, Silence, decode_silence, encode
from services.contracts.anomaly import Severity
from services.contracts.topics import ALERT_DELIVERIES_TOPIC, SILENCES_TOPIC
from tests.alerts import DELIVERY
from tests.integration.pipeline import read_topic, set_up, tapewatch

MATCHER = Matcher(["NVDA", "BTC-*"], ["Burst"], ["all"], ["desk"], Severity.HIGH)


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    set_up(stack)
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


def in_topic(stack: EmbeddedStack, silence_id: str) -> list[Silence]:
    read = [decode_silence(record.value() or b"") for record in read_topic(stack, SILENCES_TOPIC)]
    return [one for one in read if one.silence_id == silence_id]


@pytest.mark.slow
def test_a_silence_is_written_indexed_counted_and_ended(stack: EmbeddedStack, client: Elasticsearch) -> None:
    silence = add_silence(stack.kafka_connection, MATCHER, 3600, " works ", "Kim")
    assert in_topic(stack, silence.silence_id) == [silence]
    assert (silence.matcher, silence.reason, silence.author) == (MATCHER, "works", "Kim")
    now = dt.datetime.now(dt.UTC)
    # It is shown before it is indexed.
    assert silence in find_silences(client, now, [silence]).in_force
    producer = new_producer(stack.kafka_connection)
    outcomes = (Outcome.SILENCED, Outcome.SILENCED, Outcome.SENT)
    for number, outcome in enumerate(outcomes):
        record = msgspec.structs.replace(
            DELIVERY, revision=number + 1, outcome=outcome, silence_id=silence.silence_id, digest=None
        )
        producer.produce(ALERT_DELIVERIES_TOPIC, key=record.alert_id, value=encode(record), partition=0)
    assert producer.flush(10) == 0
    tapewatch(stack, "index", "--until-idle", "1")
    client.indices.refresh(index="silences,alert-deliveries-*")
    found = find_silences(client, now)
    assert silence in found.in_force
    assert found.held_back[silence.silence_id] == 2
    assert "desk" in find_names(client)["channels"]
    time.sleep(0.01)
    ended = end_silence(stack.kafka_connection, silence, "Lee")
    assert in_topic(stack, silence.silence_id) == [silence, ended]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    # The index still has it as it was.
    assert ended in find_silences(client, later, [ended]).ended
    tapewatch(stack, "index", "--until-idle", "1")
    client.indices.refresh(index="silences")
    assert ended in find_silences(client, later).ended
    assert silence.silence_id not in tapewatch(stack, "silence", "list").stdout
