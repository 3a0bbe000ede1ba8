import datetime as dt
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Barrier, Thread
from typing import Any

import pytest

from dashboard.pages.pipeline import probe as probing
from dashboard.pages.pipeline.page import span, to_table
from dashboard.pages.pipeline.probe import (
    Latency,
    ServiceState,
    Status,
    Target,
    every_instance,
    probe,
    probe_all,
    targets,
    to_state,
)
from infra.embedded.ports import free_port
from services.common.config.settings import Settings
from services.common.observability.health import Health
from services.common.observability.http import MetricsServer, serve_metrics
from services.common.observability.samples import to_samples
from services.contracts.components import DETECTOR

SCRAPED = """
process_start_time_seconds 1.7e9
process_resident_memory_bytes 4.6e8
tapewatch_build_info{service="detector",version="0.1.0"} 1.0
tapewatch_scored_trades_total 4309.0
tapewatch_scored_trades_per_second 12.5
tapewatch_lag_messages{service="detector",topic="trades"} 7.0
tapewatch_event_time_lag_seconds{service="detector"} 3.25
tapewatch_commit_seconds_count{service="detector"} 4.0
tapewatch_commit_seconds_sum{service="detector"} 0.5
tapewatch_aborted_transactions_total{service="detector"} 2.0
tapewatch_dead_letters_total{service="detector"} 1.0
tapewatch_checkpoint_session_bytes 17000.0
tapewatch_checkpoint_age_messages{partition="0"} 100.0
tapewatch_checkpoint_age_messages{partition="1"} 23.0
"""
INDEXER = """
tapewatch_build_info{service="indexer",version="0.1.0"} 1.0
tapewatch_indexed_documents_total{topic="trades"} 90.0
tapewatch_indexed_documents_total{topic="anomalies"} 10.0
tapewatch_lag_messages{service="indexer",topic="trades"} 5.0
tapewatch_lag_messages{service="indexer",topic="anomalies"} 1.0
tapewatch_bulk_retries_total 3.0
tapewatch_bulk_seconds_count 0.0
tapewatch_bulk_seconds_sum 0.0
"""


class _Other(BaseHTTPRequestHandler):
    """A program that is not a service of Tapewatch."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>\xff hello {")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(health: Health) -> Iterator[MetricsServer]:
    with serve_metrics(DETECTOR, Settings(metrics_port=0), health) as server:
        yield server


def state_of(text: str) -> ServiceState:
    return to_state("host:1", to_samples(text), Status.WORKING, "")


def test_a_services_metrics_are_read() -> None:
    one = state_of(SCRAPED)
    assert (one.name, one.version, one.done, one.per_second) == ("detector", "0.1.0", 4309, 12.5)
    assert (one.lag_messages, one.event_lag_s) == (7, 3.25)
    assert (one.retries, one.dead_letters) == (2, 1)
    assert (one.checkpoint_bytes, one.checkpoint_age_messages) == (17_000, 123)
    assert one.started == dt.datetime.fromtimestamp(1.7e9, dt.UTC)
    assert one.commit == Latency(4, 0.5)
    assert one.bulk is None


def test_what_has_topics_is_summed_and_what_was_not_done_yet_has_no_latency() -> None:
    one = state_of(INDEXER)
    assert (one.done, one.lag_messages, one.retries, one.dead_letters) == (100, 6, 3, 0)
    assert one.bulk is not None
    assert one.bulk.mean_ms() is None
    assert one.checkpoint_bytes is None


@pytest.mark.parametrize(
    ("before", "mean_ms"),
    [(None, 100.0), (Latency(6, 0.8), 50.0), (Latency(10, 1.0), None), (Latency(50, 20.0), 100.0)],
)
def test_a_latency_is_the_mean_since_the_last_look(before: Latency | None, mean_ms: float | None) -> None:
    assert Latency(10, 1.0).mean_ms(before) == (None if mean_ms is None else pytest.approx(mean_ms))


def test_a_working_and_a_waiting_service_are_distinguished() -> None:
    health = Health()
    health.detail = "Kafka at nowhere:1"
    with running(health) as server:
        target = Target(server.address, "", must_run=True)
        waiting = probe(target)
        health.ready = True
        working = probe(target)
    assert (waiting.state, waiting.why) == (Status.NOT_READY, "It is waiting for Kafka at nowhere:1.")
    assert (working.state, working.why, working.name) == (Status.WORKING, "", "detector")
    assert working.memory_bytes is not None


def test_stuck_service_is_reported() -> None:
    with running(Health(stale_after_s=0.0)) as server:
        found = probe(Target(server.address, "", must_run=True))
    assert found.state == Status.STUCK
    assert found.why.startswith("The main loop has been stuck")


def test_closed_port_means_not_running() -> None:
    found = probe(Target(f"127.0.0.1:{free_port()}", "indexer", must_run=True))
    assert (found.name, found.state) == ("indexer", Status.NOT_RUNNING)
    found = probe(Target("no-such-host.invalid:9101", "producer", must_run=True))
    assert found.state == Status.NOT_RUNNING
    assert "cannot be reached" in found.why


def test_another_program_is_not_mistaken_for_a_service() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Other)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        found = probe(Target(f"127.0.0.1:{server.server_port}", "producer", must_run=True))
    finally:
        server.shutdown()
        server.server_close()
    assert found.state == Status.UNKNOWN


def test_service_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = probe(Target(f"127.0.0.1:{silent.getsockname()[1]}", "detector", must_run=True))
    assert (found.state, found.why) == (Status.NO_ANSWER, "It did not answer within 0.1 s.")


def test_services_are_asked_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = Barrier(8, timeout=60)

    def ask(target: Target) -> ServiceState:
        everybody.wait()
        return ServiceState(target.address, target.name, Status.WORKING)

    monkeypatch.setattr(probing, "probe", ask)
    assert len(probe_all([Target("host:1", "detector", must_run=True)] * 8)) == 8


def test_further_instances_are_shown_only_when_they_run() -> None:
    with running(Health()) as server:
        usual = Target(f"127.0.0.1:{free_port()}", "detector", must_run=True)
        gone = Target(f"127.0.0.1:{free_port()}", "indexer", must_run=True)
        further = Target(server.address, "detector", must_run=False)
        spare = Target(f"127.0.0.1:{free_port()}", "indexer", must_run=False)
        found = probe_all([usual, gone, further, spare])
    # The detector's usual port is taken or free: it runs, at the next one.
    assert [one.address for one in found] == [gone.address, further.address]
    assert [one.state for one in found] == [Status.NOT_RUNNING, Status.NOT_READY]


@pytest.mark.parametrize("where", ["usual ports", "the setting"])
def test_a_producer_is_not_missed_while_a_feed_publishes(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = {"feed": "host:9104", "producer": "host:9101", "detector": "host:9102"}
    everything = targets(list(ports.values())) if where == "the setting" else targets([])
    running = {"feed"}

    def ask(target: Target) -> ServiceState:
        is_there = target.name in running and target.address.endswith("9104")
        state = Status.WORKING if is_there else Status.NOT_RUNNING
        return ServiceState(target.address, target.name, state, version="1" if is_there else None)

    monkeypatch.setattr(probing, "probe", ask)
    missed = [one.name for one in probe_all(everything) if one.state == Status.NOT_RUNNING]
    assert "producer" not in missed
    assert "detector" in missed
    running.clear()
    missed = [one.name for one in probe_all(everything) if one.state == Status.NOT_RUNNING]
    assert "producer" in missed


def test_each_instance_of_a_scaled_service_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"detector": ["10.0.0.3", "10.0.0.2"], "indexer": ["10.0.0.4"]}

    def resolve(host: str, port: int, family: int, kind: int) -> list[Any]:
        if host not in known:
            raise OSError("no such name")
        return [(family, kind, 6, "", (one, port)) for one in known[host] * 2]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    assert every_instance(["detector:9102", "indexer:9103", "gone:9101"]) == [
        "10.0.0.2:9102",
        "10.0.0.3:9102",
        "indexer:9103",
        "gone:9101",
    ]


def test_every_address_of_the_setting_is_looked_at() -> None:
    assert [(one.address, one.must_run) for one in targets(["a:9101", "b:80"])] == [
        ("a:9101", True),
        ("b:80", True),
    ]
    usual = targets([])
    assert [one.address for one in usual if one.must_run] == [
        "127.0.0.1:9101",
        "127.0.0.1:9102",
        "127.0.0.1:9103",
    ]
    assert Target("127.0.0.1:9192", "detector", must_run=False) in usual
    assert len(usual) == 60


def test_the_table_has_what_is_known_and_nothing_else() -> None:
    now = dt.datetime.fromtimestamp(1.7e9 + 7200, dt.UTC)
    before = {
        "host:1": state_of(SCRAPED.replace('count{service="detector"} 4.0', 'count{service="detector"} 2.0'))
    }
    table = to_table([state_of(SCRAPED), ServiceState("host:2", "", Status.NOT_RUNNING)], before, now)
    assert table["Uptime"].tolist() == ["2 h", ""]
    assert table["Commit (ms)"].tolist() == ["0.0", ""]
    assert table["Checkpoint"].tolist() == ["17.0 kB", ""]
    assert table["Service"].tolist() == ["detector", "unknown"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.04, "0.0 s"),
        (119, "119.0 s"),
        (600, "10 min"),
        (86_400, "24 h"),
        (6.2e7, "717 d"),
        (-3, "-3.0 s"),
    ],
)
def test_a_span_has_the_largest_unit_that_fits(seconds: float | None, text: str) -> None:
    assert span(seconds) == text
