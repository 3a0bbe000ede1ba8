"""Against servers that answer as Elasticsearch of other versions and OpenSearch do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from infra.doctor.checks import check_elasticsearch
from infra.setup.run import wait_for_elasticsearch
from services.common.elastic.client import new_client
from services.common.elastic.errors import ApiError
from services.common.elastic.product import check_product
from services.common.errors import TapewatchError
from services.common.observability.health import Health
from services.indexer.sinks.elasticsearch.preflight import wait_until_set_up
from tests.stops import AskedFor

OPENSEARCH = {
    "version": {"distribution": "opensearch", "number": "2.11.0"},
    "tagline": "The OpenSearch Project: https://opensearch.org/",
}
DISGUISED = {"version": {"number": "7.10.2"}, "tagline": "The OpenSearch Project: https://opensearch.org/"}
OLD = {"version": {"number": "8.15.3"}, "tagline": "You Know, for Search"}
NEXT = {"version": {"number": "10.0.0"}, "tagline": "You Know, for Search"}
OURS = {"version": {"number": "9.1.0"}, "tagline": "You Know, for Search"}


@contextmanager
def server(told: object, *, is_elasticsearch: bool, status: int = 200) -> Iterator[str]:
    """Run a server that tells what it is; as others do, it does not take the client's own media type."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            is_ours = "compatible-with" in self.headers.get("accept", "")
            body = json.dumps({"error": "media_type_header_exception"} if is_ours else told).encode()
            self.send_response(400 if is_ours else status)
            self.send_header("content-type", "application/json")
            if is_elasticsearch:
                self.send_header("x-elastic-product", "Elasticsearch")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = _answer  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("told", "is_elasticsearch", "named"),
    [
        (OLD, True, "Elasticsearch, version 8.15.3"),
        (NEXT, True, "Elasticsearch, version 10.0.0"),
        (OPENSEARCH, False, "OpenSearch, version 2.11.0"),
        (DISGUISED, False, "OpenSearch, version 7.10.2"),
        (
            {"version": {"number": "7.10.2"}},
            False,
            "not an Elasticsearch that this client knows, version 7.10.2",
        ),
        ({"hello": "world"}, False, "not Elasticsearch"),
        ([], False, "not Elasticsearch"),
    ],
)
def test_a_server_is_named_as_what_it_is_at_every_start(
    told: object, is_elasticsearch: bool, named: str
) -> None:
    with server(told, is_elasticsearch=is_elasticsearch) as url, new_client(url) as client:
        with pytest.raises(TapewatchError) as caught:
            check_product(client, url)
        assert caught.value.cause == f"The server at {url} is {named}."
        assert "needs version 9 of Elasticsearch" in caught.value.hint
        with pytest.raises(TapewatchError) as at_setup:
            wait_for_elasticsearch(client, url, AskedFor())
        with pytest.raises(TapewatchError) as at_start:
            wait_until_set_up(client, url, AskedFor(), Health())
        found = check_elasticsearch(client, url)
    assert at_setup.value.cause == at_start.value.cause == found.finding == caught.value.cause
    assert found.hint == caught.value.hint


def test_our_version_passes() -> None:
    with server(OURS, is_elasticsearch=True) as url, new_client(url) as client:
        check_product(client, url)


@pytest.mark.parametrize("status", [401, 403])
def test_a_server_that_does_not_tell_passes(status: int) -> None:
    with server({}, is_elasticsearch=True, status=status) as url, new_client(url) as client:
        check_product(client, url)


def test_a_server_that_is_starting_is_waited_for() -> None:
    with (
        server({}, is_elasticsearch=True, status=503) as url,
        new_client(url) as client,
        pytest.raises(ApiError),
    ):
        check_product(client, url)
