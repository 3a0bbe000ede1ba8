"""The health page in a real browser: services that run, wait, or are not running."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from playwright.sync_api import expect

from dashboard.pages.pipeline.probe import probe_elasticsearch
from dashboard.server.elastic import open_client
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.contracts.components import DETECTOR, INDEXER
from services.contracts.topics import DEAD_LETTERS_TOPIC
from tests.browser.conftest import OpenPage, page_of
from tests.browser.tape import Document
from tests.integration.pipeline import read_topic, set_up


@pytest.fixture
def client(stack: EmbeddedStack, tape: list[Document]) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


def test_elasticsearchs_numbers_equal_a_count(client: Elasticsearch, tape: list[Document]) -> None:
    state = probe_elasticsearch(client)
    assert state.cluster is not None
    health = client.cluster.health()
    assert (state.cluster.status, state.cluster.nodes) == (health["status"], 1)
    assert state.cluster.unassigned_shards == health["unassigned_shards"]
    assert state.indexed.trades.count == client.count(index="trades-*")["count"]
    assert state.indexed.anomalies.count == client.count(index="anomalies-*")["count"]
    newest = max(trade["@timestamp"] for trade in tape)
    assert state.indexed.trades.newest is not None
    # No other test indexes anything later.
    assert state.indexed.trades.newest.isoformat()[:19] == newest[:19]


@pytest.mark.slow
def test_services_are_followed_as_they_come_and_go(
    stack: EmbeddedStack, tape: list[Document], open_page: OpenPage, tmp_path: Path
) -> None:
    health = Health()
    health.detail = "waiting for Kafka at *nowhere*:1"
    away = f"127.0.0.1:{free_port()}"
    server = serve_metrics(DETECTOR, Settings(metrics_port=0), health)
    try:
        with page_of([server.address, away], stack.elasticsearch_url, tmp_path, open_page) as page:
            table = page.locator("[data-testid=stDataFrame] table").first
            expect(page.get_by_text("is not ready. It is waiting for Kafka at *nowhere*:1.")).to_be_visible()
            expect(page.get_by_text(f"The service at {away} is not running.")).to_be_visible()
            expect(table).to_contain_text("not ready")
            health.ready = True
            health.beat()
            expect(page.get_by_text("is not ready")).to_have_count(0)
            expect(table).to_contain_text("working")
            server.close()
            expect(page.get_by_text(f"The detector at {server.address} is not running.")).to_be_visible()
            expect(page.get_by_text(re.compile(r"1 node, \d+ shards? unassigned")).first).to_be_visible()
    finally:
        server.close()


@pytest.mark.slow
def test_services_show_while_elasticsearch_is_away(open_page: OpenPage, tmp_path: Path) -> None:
    health = Health()
    health.ready = True
    url = f"http://127.0.0.1:{free_port()}"
    with (
        serve_metrics(INDEXER, Settings(metrics_port=0), health) as server,
        page_of([server.address], url, tmp_path, open_page) as page,
    ):
        expect(page.get_by_text(f"indexer · {server.address}")).to_be_visible()
        expect(page.get_by_text(f"Elasticsearch does not answer at {url}")).to_be_visible()


@pytest.mark.slow
def test_dead_letters_of_a_service_that_has_ended_are_counted(
    stack: EmbeddedStack, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(stack)
    producer = Producer({"bootstrap.servers": stack.kafka_bootstrap})
    for number in range(3):
        producer.produce(DEAD_LETTERS_TOPIC, value=f"row {number}")
    assert producer.flush(30) == 0
    count = len(read_topic(stack, DEAD_LETTERS_TOPIC))
    monkeypatch.setenv("TAPEWATCH_KAFKA", stack.kafka_bootstrap)
    nobody = f"127.0.0.1:{free_port()}"
    with page_of([nobody], stack.elasticsearch_url, tmp_path, open_page) as page:
        expect(page.get_by_text(f"{count:,} dead letters are in Kafka")).to_be_visible(timeout=60_000)
