"""Tests against a server whose answers are set."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from infra.embedded.ports import free_port
from services.common.elastic.client import new_client
from services.common.elastic.errors import ApiError, explain_errors, explain_rejection
from services.common.elastic.preflight import wait_for_cluster
from services.common.errors import TapewatchError
from tests.stops import CountedStop

QUERY_ERROR = {"error": {"reason": "all shards failed", "root_cause": [{"reason": "no such field"}]}}


class ToldServer:
    """Answers each request with the next of `answers`, a status and its body; then with 200."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.delay_s = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(outer.delay_s)
                status, content = outer.answers.pop(0) if outer.answers else (200, {})
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("x-elastic-product", "Elasticsearch")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[ToldServer]:
    running = ToldServer()
    yield running
    running.close()


def explained(url: str, timeout_s: float = 10.0) -> TapewatchError:
    with new_client(url) as client, pytest.raises(TapewatchError) as caught, explain_errors(client):
        client.options(request_timeout=timeout_s).info()
    return caught.value


def test_cluster_that_is_not_there_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert explained(url).cause == f"Elasticsearch does not answer at {url}."


def test_rejection_has_its_status_and_the_innermost_reason(server: ToldServer) -> None:
    server.answers = [(400, QUERY_ERROR)]
    assert explained(server.url).cause == (
        f"Elasticsearch at {server.url} rejected a query with status 400: no such field."
    )


def test_missing_answer_is_reported_with_the_time_waited(server: ToldServer) -> None:
    server.delay_s = 2.0
    assert explained(server.url, timeout_s=1.0).cause == (
        f"Elasticsearch at {server.url} did not answer within 1 s."
    )


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "to an administrator's"),
        (403, "Run setup as an administrator"),
        (400, "Check Elasticsearch's log"),
    ],
)
def test_rejection_of_an_administrators_request_has_a_hint(
    server: ToldServer, status: int, hint: str
) -> None:
    server.answers = [(status, {"error": "no"})]
    with (
        new_client(server.url) as client,
        pytest.raises(TapewatchError, match="rejected the role reader") as caught,
        explain_rejection("the role reader"),
    ):
        client.info()
    assert hint in str(caught.value)


def test_cluster_that_is_not_ready_yet_is_waited_for(server: ToldServer) -> None:
    server.answers = [(503, {}), (429, {})]
    with new_client(server.url) as client:
        assert wait_for_cluster(client.info, server.url, CountedStop())
    assert server.answers == []


def test_cluster_that_rejects_permanently_is_not_waited_for(server: ToldServer) -> None:
    server.answers = [(403, {})]
    with new_client(server.url) as client, pytest.raises(ApiError):
        wait_for_cluster(client.info, server.url, CountedStop())


def test_stop_ends_the_waiting_for_a_cluster() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with new_client(url) as client:
        assert not wait_for_cluster(client.info, url, CountedStop(2))
