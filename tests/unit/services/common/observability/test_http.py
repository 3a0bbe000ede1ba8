import socket
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from infra.embedded.ports import free_port, is_free
from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.observability import http as metrics
from services.common.observability.health import Health
from services.common.observability.http import serve_metrics
from services.common.observability.rates import Rate
from services.contracts.components import DETECTOR, INDEXER
from tests.unit.services.common.clock import FakeClock

ANY_PORT = Settings(metrics_port=0)


def ask(address: str, path: str, method: str = "GET") -> tuple[HTTPResponse, str]:
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def test_metrics_tell_the_build_and_the_process() -> None:
    with serve_metrics(INDEXER, ANY_PORT, Health()) as server:
        response, text = ask(server.address, "/metrics")
    assert response.status == 200
    assert response.getheader("Content-Type", "").startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (build,) = families["tapewatch_build_info"].samples
    assert build.labels == {"service": "indexer", "version": version("tapewatch")}
    assert families["process_resident_memory_bytes"].samples[0].value > 0


def test_checks_follow_the_health() -> None:
    clock = FakeClock()
    health = Health(stale_after_s=60, clock_s=clock)
    health.detail = "no partitions yet"
    with serve_metrics(DETECTOR, ANY_PORT, health) as server:

        def checks() -> list[tuple[int, str]]:
            answers = [ask(server.address, path) for path in ("/healthz", "/readyz")]
            return [(response.status, text) for response, text in answers]

        assert checks() == [(200, "ok\n"), (503, "no partitions yet\n")]
        health.ready = True
        assert checks() == [(200, "ok\n"), (200, "ready\n")]
        clock.now_s += 61
        stuck = "the main loop has been stuck for 61 s (limit 60 s)\n"
        assert checks() == [(503, stuck), (503, stuck)]


def test_metrics_say_what_the_checks_say() -> None:
    clock = FakeClock()
    health = Health(clock_s=clock)

    def numbers() -> tuple[float, float]:
        families = {
            one.name: one for one in text_string_to_metric_families(ask(server.address, "/metrics")[1])
        }
        found = [families[f"tapewatch_{name}"].samples for name in ("alive", "ready")]
        alive, ready = ([one for one in samples if one.labels["service"] == "detector"] for samples in found)
        return alive[0].value, ready[0].value

    with serve_metrics(DETECTOR, ANY_PORT, health) as server:
        assert numbers() == (1, 0)
        health.ready = True
        clock.now_s += 59
        assert numbers() == (1, 1)
        clock.now_s += 1
        assert numbers() == (0, 0)
        health.beat()
        assert numbers() == (1, 1)


def test_head_gives_the_same_without_a_body() -> None:
    with serve_metrics(DETECTOR, ANY_PORT, Health()) as server:
        got, text = ask(server.address, "/healthz")
        head, nothing = ask(server.address, "/healthz", "HEAD")
    assert (head.status, nothing) == (200, "")
    assert head.getheader("Content-Length") == got.getheader("Content-Length") == str(len(text))


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("POST", "/metrics", 501)])
def test_anything_else_is_rejected(method: str, path: str, status: int) -> None:
    with serve_metrics(DETECTOR, ANY_PORT, Health()) as server:
        assert ask(server.address, path, method)[0].status == status


def test_a_query_changes_nothing() -> None:
    with serve_metrics(DETECTOR, ANY_PORT, Health()) as server:
        assert ask(server.address, "/healthz?from=probe")[0].status == 200


def test_a_silent_client_does_not_block_others() -> None:
    with serve_metrics(DETECTOR, ANY_PORT, Health()) as server:
        host, port = server.address.split(":")
        with socket.create_connection((host, int(port))):
            assert ask(server.address, "/healthz")[0].status == 200


def test_the_address_is_logged_and_the_port_given_back() -> None:
    with capture_logs() as logs, serve_metrics(DETECTOR, ANY_PORT, Health()) as server:
        pass
    assert [(line["event"], line["address"]) for line in logs] == [("metrics", server.address)]
    host, port = server.address.split(":")
    assert host == "127.0.0.1"
    assert is_free(int(port))


def test_the_next_port_is_taken_when_the_usual_one_is_not_free() -> None:
    usual = free_port()
    detector = replace(DETECTOR, metrics_port=usual)
    with (
        serve_metrics(detector, Settings(), Health()) as first,
        serve_metrics(detector, Settings(), Health()) as second,
    ):
        assert first.address == f"127.0.0.1:{usual}"
        assert second.address == f"127.0.0.1:{usual + 10}"


def test_an_error_reports_that_all_default_ports_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = free_port()
    detector = replace(DETECTOR, metrics_port=usual)
    monkeypatch.setattr(metrics, "PORTS_TRIED", 2)
    with (
        serve_metrics(detector, Settings(), Health()),
        serve_metrics(detector, Settings(), Health()),
        pytest.raises(TapewatchError, match=f"listen on {usual}, {usual + 10}") as caught,
    ):
        serve_metrics(detector, Settings(), Health())
    assert "TAPEWATCH_METRICS_PORT" in caught.value.hint


def test_a_configured_port_that_is_taken_is_reported() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(TapewatchError, match=f"other processes listen on {port}"),
    ):
        serve_metrics(DETECTOR, Settings(metrics_port=port), Health())


@pytest.mark.parametrize("host", ["192.0.2.1", "::1"])
def test_an_address_of_another_machine_is_reported(host: str) -> None:
    with pytest.raises(TapewatchError, match=f"cannot serve its metrics on {host}:0: ") as caught:
        serve_metrics(DETECTOR, Settings(metrics_host=host, metrics_port=0), Health())
    assert "TAPEWATCH_METRICS_HOST" in caught.value.hint


class TestRate:
    def rate_and_gauge(self) -> tuple[Rate, CollectorRegistry, FakeClock]:
        registry, clock = CollectorRegistry(), FakeClock()
        return Rate(Gauge("a_per_second", "A rate", registry=registry), clock), registry, clock

    def test_it_is_the_mean_of_the_last_ten_full_seconds(self) -> None:
        rate, registry, clock = self.rate_and_gauge()
        for _ in range(25):
            rate.add(3)
            clock.now_s += 0.5
            rate.add(4)
            clock.now_s += 0.5
        assert registry.get_sample_value("a_per_second") == 7.0

    def test_the_second_that_is_not_over_does_not_count(self) -> None:
        rate, registry, clock = self.rate_and_gauge()
        rate.add(50)
        assert registry.get_sample_value("a_per_second") == 0.0
        clock.now_s += 1
        assert registry.get_sample_value("a_per_second") == 5.0

    def test_it_falls_to_nothing_when_nothing_comes(self) -> None:
        rate, registry, clock = self.rate_and_gauge()
        rate.add(50)
        clock.now_s += 10
        rate.add(0)
        assert registry.get_sample_value("a_per_second") == 5.0
        clock.now_s += 1
        assert registry.get_sample_value("a_per_second") == 0.0

    def test_a_slot_of_long_ago_is_not_added_to(self) -> None:
        rate, registry, clock = self.rate_and_gauge()
        rate.add(50)
        clock.now_s += 11
        rate.add(20)
        clock.now_s += 1
        assert registry.get_sample_value("a_per_second") == 2.0
