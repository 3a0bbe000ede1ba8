"""Tests against a server that speaks the bulk protocol and whose answers are set."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from services.common.elastic.client import new_client
from services.common.errors import TapewatchError
from services.common.process.shutdown import Stop
from services.indexer.sinks.base import Entry, Rejected, StoppedError
from services.indexer.sinks.elasticsearch import bulk
from services.indexer.sinks.elasticsearch.bulk import BulkAnswers, BulkSender
from services.indexer.sinks.elasticsearch.documents import to_document
from tests.samples import kafka_record, trade_json
from tests.stops import CountedStop

DOCUMENTS = [to_document(kafka_record("trades", value=trade_json(n))) for n in range(4)]
GONE: list[tuple[str, bytes | None]] = [("trade_id", b"gone"), ("timestamp", b"2024-12-02T14:30:00Z")]
RETRACTION = to_document(kafka_record("anomalies", headers=GONE))
IDS = [f"2-11667-20241202-{n}" for n in range(4)]


class BulkServer:
    """Answers each request with the next of `answers`: a status, or a status for each document's id.

    A negative status of a document stands for a lack of rights.
    """

    error_type = "kind"
    reason = "why"

    def __init__(self) -> None:
        self.answers: list[int | dict[str, int]] = []
        self.requests: list[list[str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                actions = [
                    next(iter(line.items()))
                    for line in map(json.loads, body.splitlines())
                    if line.keys() <= {"index", "delete"}
                ]
                ids = [target["_id"] for _, target in actions]
                outer.requests.append(ids)
                answer = outer.answers.pop(0) if outer.answers else {}
                status, codes = (answer, {}) if isinstance(answer, int) else (200, answer)
                items = []
                if status == 200:
                    for action, item_id in ((action, target["_id"]) for action, target in actions):
                        code = codes.get(item_id, 201)
                        item: dict[str, object] = {"status": abs(code)}
                        if abs(code) >= 300:
                            item["error"] = {
                                "type": "security_exception" if code < 0 else outer.error_type,
                                "reason": outer.reason,
                                "caused_by": {"type": "t", "reason": "r"},
                            }
                        items.append({action: item})
                errors = any("error" in result for item in items for result in item.values())
                content = json.dumps({"errors": errors, "items": items}, separators=(",", ":")).encode()
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


@pytest.fixture
def server() -> Iterator[BulkServer]:
    running = BulkServer()
    yield running
    running.close()


def send(
    url: str,
    documents: list[Entry],
    stop: Stop | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> list[Rejected]:
    with new_client(url, serializer=BulkAnswers()) as client:
        return BulkSender(client, stop or CountedStop()).send(documents, is_wanted)


def test_only_documents_rejected_for_now_are_sent_again(server: BulkServer) -> None:
    server.answers = [{IDS[1]: 429, IDS[3]: 503}, {IDS[3]: 429}]
    assert send(server.url, DOCUMENTS) == []
    assert server.requests == [IDS, [IDS[1], IDS[3]], [IDS[3]]]


def test_document_rejected_for_good_is_returned_with_the_reason(server: BulkServer) -> None:
    server.answers = [{IDS[2]: 400, IDS[0]: 429}]
    assert send(server.url, DOCUMENTS) == [Rejected(2, "kind: why; t: r")]
    assert server.requests == [IDS, [IDS[0]]]


@pytest.mark.parametrize("error_type", sorted(bulk.NOT_THE_DOCUMENT))
def test_documents_are_sent_again_when_it_is_the_index_that_is_wrong(
    server: BulkServer, error_type: str
) -> None:
    server.error_type = error_type
    server.answers = [dict.fromkeys(IDS, 400), {IDS[2]: 403}]
    assert send(server.url, DOCUMENTS) == []
    assert server.requests == [IDS, IDS, [IDS[2]]]


def test_reason_that_is_not_text_is_reported_as_far_as_possible(server: BulkServer) -> None:
    server.reason = "half a pair: \ud800"
    server.answers = [{IDS[2]: 400}]
    assert send(server.url, DOCUMENTS) == [Rejected(2, "kind: half a pair: \ufffd; t: r")]


def test_what_another_process_has_taken_over_is_not_sent_again(server: BulkServer) -> None:
    server.answers = [503, 503, 503]
    wanted = [True, False]
    send(server.url, DOCUMENTS, is_wanted=lambda: wanted.pop(0))
    assert server.requests == [IDS, IDS]


@pytest.mark.parametrize("status", [429, 502, 503])
def test_whole_request_rejected_for_now_is_sent_again(server: BulkServer, status: int) -> None:
    server.answers = [status, status]
    assert send(server.url, DOCUMENTS) == []
    assert server.requests == [IDS] * 3


def test_whole_request_rejected_for_good_is_an_error(server: BulkServer) -> None:
    server.answers = [403]
    with pytest.raises(TapewatchError, match="rejected a bulk request"):
        send(server.url, DOCUMENTS)


def test_lack_of_rights_is_an_error_and_no_dead_letter(server: BulkServer) -> None:
    server.answers = [dict.fromkeys(IDS, -403)]
    with pytest.raises(TapewatchError, match="rejected a bulk request: security_exception"):
        send(server.url, DOCUMENTS)


@pytest.mark.parametrize("status", [400, 413])
def test_request_that_is_too_large_or_spoilt_by_a_document_goes_in_halves(
    server: BulkServer, status: int
) -> None:
    server.answers = [status, {}, status, {}, status]
    (rejected,) = send(server.url, DOCUMENTS)
    assert rejected.at == 3
    assert server.requests == [IDS, IDS[:2], IDS[2:], IDS[2:3], IDS[3:]]


def test_broken_node_is_tried_again_but_not_for_ever(server: BulkServer) -> None:
    server.answers = [{IDS[0]: 500, IDS[1]: 500}, *[{IDS[0]: 500}] * (bulk.MOST_BROKEN + 1)]
    assert send(server.url, DOCUMENTS) == [Rejected(0, "kind: why; t: r")]
    assert server.requests == [IDS, IDS[:2]] + [IDS[:1]] * (bulk.MOST_BROKEN - 1)


def test_deleting_what_is_not_there_succeeds(server: BulkServer) -> None:
    server.answers = [{"gone": 404}]
    assert send(server.url, [DOCUMENTS[0], RETRACTION]) == []
    assert server.requests == [[IDS[0], "gone"]]


def test_deletion_rejected_for_now_is_sent_again(server: BulkServer) -> None:
    server.answers = [{"gone": 429}]
    assert send(server.url, [RETRACTION, DOCUMENTS[0]]) == []
    assert server.requests == [["gone", IDS[0]], ["gone"]]


def test_stop_ends_the_waiting_for_a_server_that_is_away() -> None:
    with pytest.raises(StoppedError):
        send("http://127.0.0.1:9", DOCUMENTS, CountedStop(3))


def test_rejections_are_logged_at_a_limited_rate(
    server: BulkServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [503] * 10
    send(server.url, DOCUMENTS)
    assert capsys.readouterr().out.count("Elasticsearch rejected documents for now; trying again") == 1


def test_waits_grow_up_to_a_bound(server: BulkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = CountedStop()
    server.answers = [503] * 12
    monkeypatch.setattr("random.uniform", lambda _low, high: high)
    send(server.url, DOCUMENTS, stop)
    assert stop.waits_s[:4] == [0.2, 0.4, 0.8, 1.6]
    assert stop.waits_s[-1] == bulk.LONGEST_WAIT_S
