"""Against a server that speaks the bulk protocol and can be told what to answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from services.common.elastic import new_client
from services.common.errors import TapewatchError
from services.indexer import bulk
from services.indexer.bulk import Refused, StoppedError, send
from services.indexer.documents import to_document
from tests.samples import trade_json

DOCUMENTS = [to_document("trades", trade_json(n)) for n in range(4)]
IDS = [f"2-11667-20241202-{n}" for n in range(4)]


class BulkServer:
    """Answers each request with the next of `answers`: a status, or a status for each document's id."""

    def __init__(self) -> None:
        self.answers: list[int | dict[str, int]] = []
        self.requests: list[list[str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                lines = self.rfile.read(int(self.headers["content-length"])).split(b"\n")
                ids = [json.loads(line)["index"]["_id"] for line in lines[:-1:2]]
                outer.requests.append(ids)
                answer = outer.answers.pop(0) if outer.answers else {}
                status = answer if isinstance(answer, int) else 200
                items = []
                if status == 200:
                    for item_id in ids:
                        code = answer.get(item_id, 201)
                        item = {"status": code}
                        if code >= 300:
                            item["error"] = {
                                "type": "kind",
                                "reason": "why",
                                "caused_by": {"type": "t", "reason": "r"},
                            }
                        items.append({"index": item})
                body = {"errors": any("error" in item["index"] for item in items), "items": items}
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("x-elastic-product", "Elasticsearch")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class NoStop:
    requested = False

    def __init__(self, after_waits: int = 1000) -> None:
        self._waits_left = after_waits

    def wait(self, _timeout_s: float) -> bool:
        self._waits_left -= 1
        return self._waits_left < 0


@pytest.fixture
def server() -> Iterator[BulkServer]:
    running = BulkServer()
    yield running
    running.close()


def test_only_documents_refused_for_now_are_sent_again(server: BulkServer) -> None:
    server.answers = [{IDS[1]: 429, IDS[3]: 503}, {IDS[3]: 429}]
    with new_client(server.url) as client:
        assert send(client, DOCUMENTS, NoStop()) == []
    assert server.requests == [IDS, [IDS[1], IDS[3]], [IDS[3]]]


def test_document_refused_for_good_is_returned_with_the_reason(server: BulkServer) -> None:
    server.answers = [{IDS[2]: 400, IDS[0]: 429}]
    with new_client(server.url) as client:
        assert send(client, DOCUMENTS, NoStop()) == [Refused(2, "kind: why; t: r")]
    assert server.requests == [IDS, [IDS[0]]]


@pytest.mark.parametrize("status", [429, 502, 503])
def test_whole_request_refused_for_now_is_sent_again(server: BulkServer, status: int) -> None:
    server.answers = [status, status]
    with new_client(server.url) as client:
        assert send(client, DOCUMENTS, NoStop()) == []
    assert server.requests == [IDS] * 3


def test_whole_request_refused_for_good_is_an_error(server: BulkServer) -> None:
    server.answers = [403]
    with new_client(server.url) as client, pytest.raises(TapewatchError, match="refused a bulk request"):
        send(client, DOCUMENTS, NoStop())


def test_stop_ends_the_waiting_for_a_server_that_is_away() -> None:
    with new_client("http://127.0.0.1:9") as client, pytest.raises(StoppedError):
        send(client, DOCUMENTS, NoStop(after_waits=2))


def test_waits_grow_up_to_a_bound(server: BulkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    stop = NoStop()
    stop.wait = lambda timeout_s: waits.append(timeout_s) or False
    server.answers = [503] * 12
    monkeypatch.setattr(bulk.random, "uniform", lambda _low, high: high)
    with new_client(server.url) as client:
        send(client, DOCUMENTS, stop)
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == bulk.LONGEST_WAIT_S
