"""The answers that are shared and kept, over a real connection to a stand-in that counts."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dashboard.server import answers
from dashboard.server.answers import noting
from dashboard.server.elastic import open_client, search, together
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.review.history import create_entry


class Counting(ThreadingHTTPServer):
    """Answers each search with its number, counted from 1; may refuse all."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.searches = 0
        self.status = 200
        self.takes_s = 0.0


class _Handler(BaseHTTPRequestHandler):
    server: Counting

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        number = 0
        if "_search" in self.path:
            with self.server.lock:
                self.server.searches += 1
                number = self.server.searches
        time.sleep(self.server.takes_s)
        body = json.dumps({"number": number, "padding": "x" * 1_000}).encode()
        self.send_response(self.server.status)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Counting]:
    with Counting() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def client(server: Counting) -> Iterator[Elasticsearch]:
    with open_client(f"http://127.0.0.1:{server.server_port}") as client:
        yield client


@pytest.fixture
def is_old_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SHARED_FOR_S", 0.0)
    monkeypatch.setattr(answers, "ASKED_AGAIN_AFTER_S", 0.0)


def ask(client: Elasticsearch, index: str = "trades-*", size: int = 1) -> int:
    number: int = search(client, index, size=size)["number"]
    return number


def test_equal_requests_of_a_moment_are_asked_once(client: Elasticsearch, server: Counting) -> None:
    server.takes_s = 0.2
    with ThreadPoolExecutor(20) as visitors:
        assert set(visitors.map(lambda _: ask(client), range(20))) == {1}
    assert ask(client) == 1
    assert (ask(client, size=2), ask(client, "anomalies-*")) == (2, 3)


def test_an_answer_is_shared_for_a_moment_only(
    client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "SHARED_FOR_S", 0.05)
    assert ask(client) == 1
    time.sleep(0.06)
    assert ask(client) == 2


def test_an_answer_about_what_has_not_changed_is_shared_for_longer(
    client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "SHARED_FOR_S", 0.0)

    def ask_about(same: str) -> int:
        number: int = search(client, "trades-*", preference=same)["number"]
        return number

    assert (ask_about("2026-03-02:7"), ask_about("2026-03-02:7")) == (1, 1)
    assert ask_about("2026-03-02:8") == 2
    monkeypatch.setattr(answers, "SAME_FOR_S", 0.0)
    assert ask_about("2026-03-02:9") == 3
    assert ask_about("2026-03-02:9") == 4


def test_nobody_can_change_what_others_are_given(client: Elasticsearch) -> None:
    search(client, "trades-*", size=1).clear()
    assert ask(client) == 1


def test_what_was_read_before_a_write_is_not_given_after_it(client: Elasticsearch) -> None:
    assert (ask(client, "verdicts"), ask(client, "trades-*")) == (1, 2)
    create_entry(client, "verdicts", "a.1", {"verdict": "confirmed"})
    assert (ask(client, "verdicts"), ask(client, "trades-*")) == (3, 2)


def test_a_read_that_a_write_has_overtaken_is_not_given_after_it(
    client: Elasticsearch, server: Counting
) -> None:
    server.takes_s = 0.3
    with ThreadPoolExecutor(1) as other:
        early = other.submit(ask, client, "verdicts")
        time.sleep(0.1)
        server.takes_s = 0.0
        create_entry(client, "verdicts", "a.1", {"verdict": "confirmed"})
        assert ask(client, "verdicts") == 2
        assert early.result() == 1
        assert ask(client, "verdicts") == 2


@pytest.mark.usefixtures("is_old_at_once")
@pytest.mark.parametrize("status", [None, 429, 502, 503, 504])
def test_last_answers_are_given_with_their_time_while_there_are_none(
    client: Elasticsearch, server: Counting, status: int | None
) -> None:
    with noting() as noted:
        assert ask(client) == 1
    assert (noted.is_away, noted.as_of) == (False, None)
    if status is None:
        server.shutdown()
        server.server_close()
    else:
        server.status = status
    with noting() as outer, noting() as noted:
        assert together(lambda: ask(client), lambda: ask(client))[0] == 1
    assert noted.is_away
    assert noted.as_of is not None
    assert (outer.is_away, outer.as_of) == (True, None)
    with noting() as noted, pytest.raises(TapewatchError):
        ask(client, size=7)
    assert (noted.is_away, noted.as_of) == (True, None)
    if status is not None:
        server.status = 200
        with noting() as noted:
            assert ask(client) > 1
        assert not noted.is_away


@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.usefixtures("is_old_at_once")
def test_a_request_that_is_rejected_is_an_error_though_it_was_answered_before(
    client: Elasticsearch, server: Counting, status: int
) -> None:
    assert ask(client) == 1
    server.status = status
    with pytest.raises(TapewatchError, match=f"status {status}"):
        ask(client)


def test_a_server_that_hangs_is_not_asked_by_everybody(
    client: Elasticsearch, server: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "SHARED_FOR_S", 0.0)
    monkeypatch.setattr(answers, "ASKED_AGAIN_AFTER_S", 60.0)
    impatient = client.options(request_timeout=0.2)
    assert [ask(impatient, size=size) for size in (1, 2, 3)] == [1, 2, 3]
    server.takes_s = 1.0
    began_s = time.monotonic()
    assert [ask(impatient, size=size) for size in (1, 2, 3)] == [1, 2, 3]
    assert time.monotonic() - began_s < 0.5
    assert server.searches == 4


@pytest.mark.usefixtures("is_old_at_once")
def test_a_write_that_fails_leaves_the_last_answers(client: Elasticsearch, server: Counting) -> None:
    assert ask(client, "verdicts") == 1
    server.status = 503
    with pytest.raises(TapewatchError):
        create_entry(client, "verdicts", "a.1", {"verdict": "confirmed"})
    with noting() as noted:
        assert ask(client, "verdicts") == 1
    assert noted.as_of is not None


@pytest.mark.parametrize("limits", [{"MAX_ANSWERS": 2}, {"MAX_BYTES": 5_000}])
def test_what_was_not_used_for_longest_is_dropped_first(
    client: Elasticsearch, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(answers, name, value)
    assert [ask(client, size=size) for size in (1, 2)] == [1, 2]
    assert ask(client, size=1) == 1
    assert ask(client, size=3) == 3
    assert ask(client, size=1) == 1
    assert ask(client, size=2) == 4


def test_an_error_of_one_is_an_error_of_all_who_asked_the_same(
    client: Elasticsearch, server: Counting
) -> None:
    server.takes_s, server.status = 0.2, 400

    def failing(_: int) -> None:
        with pytest.raises(TapewatchError, match="status 400"):
            ask(client)

    with ThreadPoolExecutor(5) as visitors:
        list(visitors.map(failing, range(5)))
    assert server.searches == 1
