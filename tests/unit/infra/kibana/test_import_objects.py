"""Tests against a server that imitates the few calls used; Kibana itself cannot be installed with pip."""

import base64
import json
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from infra.kibana import import_objects as module
from infra.kibana.import_objects import import_objects, wait_for_kibana
from services.common.errors import TapewatchError
from tests.stops import CountedStop
from tests.unit.infra.kibana.objects import OBJECTS


class Kibana:
    """Stores objects; answers with `statuses` first, one per request, instead of 200."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.statuses: list[int] = []
        self.page = "<html>"
        self.errors: list[dict[str, Any]] = []
        self.imports = 0
        self.calls: list[tuple[str, str]] = []
        self.authorization: str | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self, b"")

            def do_POST(self) -> None:
                outer.answer(self, self.rfile.read(int(self.headers["content-length"])))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.authorization = request.headers["authorization"]
        self.calls.append((request.command, request.path))
        status = self.statuses.pop(0) if self.statuses else 200
        content = self.page if status != 200 else json.dumps(self.result(request, body))
        request.send_response(status)
        request.send_header("content-length", str(len(content)))
        request.end_headers()
        request.wfile.write(content.encode())

    def result(self, request: BaseHTTPRequestHandler, body: bytes) -> dict[str, Any]:
        url = urlsplit(request.path)
        query = parse_qs(url.query)
        if url.path.endswith("/_find"):
            found = [one for one in self.objects.values() if one["type"] in query["type"]]
            size, page = int(query["per_page"][0]), int(query["page"][0])
            shown = [
                {
                    **one,
                    "attributes": {k: v for k, v in one["attributes"].items() if k in query["fields"]},
                }
                for one in found[(page - 1) * size : page * size]
            ]
            return {"total": len(found), "saved_objects": shown}
        if url.path.endswith("/_import"):
            assert request.headers["kbn-xsrf"]
            assert query["overwrite"] == ["true"]
            content = f"Content-Type: {request.headers['content-type']}\n\n".encode() + body
            form = message_from_bytes(content, policy=policy.default)
            (part,) = form.iter_parts()
            assert (part.get_filename() or "").endswith(".ndjson")
            self.imports += 1
            if not self.errors:
                lines = part.get_content().decode().splitlines()
                self.objects |= {(one["type"], one["id"]): one for one in map(json.loads, lines)}
            return {"success": not self.errors, "errors": self.errors}
        assert url.path.endswith("/api/status")
        return {"status": {"overall": {"level": "available"}}}


@pytest.fixture
def kibana() -> Iterator[Kibana]:
    running = Kibana()
    yield running
    running.close()


def test_every_object_is_created_once(kibana: Kibana) -> None:
    lines = import_objects(kibana.url)
    assert len(lines) == len(OBJECTS)
    assert "created in Kibana: dashboard Market" in lines
    assert "created in Kibana: data view Trades" in lines
    assert kibana.objects.keys() == {(one["type"], one["id"]) for one in OBJECTS}
    assert import_objects(kibana.url) == []
    assert kibana.imports == 1


def test_second_run_finds_the_objects_among_pages_of_others(
    kibana: Kibana, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE", 5)
    for number in range(12):
        key = ("dashboard", f"somebody's-{number}")
        kibana.objects[key] = {"type": key[0], "id": key[1], "attributes": {"title": "x"}}
    assert len(import_objects(kibana.url)) == len(OBJECTS)
    assert import_objects(kibana.url) == []


def test_what_a_person_changed_stays(kibana: Kibana) -> None:
    import_objects(kibana.url)
    kibana.objects["lens", "tapewatch-price"]["attributes"]["title"] = "mine"
    assert import_objects(kibana.url) == []
    assert kibana.objects["lens", "tapewatch-price"]["attributes"]["title"] == "mine"


def test_other_objects_in_the_file_are_imported(
    kibana: Kibana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_objects(kibana.url)
    newer = tmp_path / "newer.ndjson"
    newer.write_text(module.FILE.read_text().replace('"title":"Market"', '"title":"The market"'))
    monkeypatch.setattr(module, "FILE", newer)
    lines = import_objects(kibana.url)
    assert "changed in Kibana: dashboard The market" in lines
    assert import_objects(kibana.url) == []


def test_lost_object_comes_back(kibana: Kibana) -> None:
    import_objects(kibana.url)
    lost = kibana.objects.pop(("search", "tapewatch-all-trades"))
    lines = import_objects(kibana.url)
    assert [line for line in lines if line.startswith("created")] == ["created in Kibana: search All trades"]
    assert kibana.objects["search", "tapewatch-all-trades"] == lost


def test_rejected_object_is_named(kibana: Kibana) -> None:
    kibana.errors = [{"type": "lens", "id": "tapewatch-price", "error": {"type": "missing_references"}}]
    with pytest.raises(TapewatchError, match="lens tapewatch-price: missing_references"):
        import_objects(kibana.url)


def test_the_login_and_the_path_of_the_address_are_used_and_the_password_is_not_shown(kibana: Kibana) -> None:
    address, login = f"{kibana.url}/s/desk", ("elastic", "p@ss:wörd")
    import_objects(address, login)
    assert kibana.authorization == f"Basic {base64.b64encode('elastic:p@ss:wörd'.encode()).decode()}"
    assert all(path.startswith("/s/desk/api/") for _, path in kibana.calls)
    kibana.statuses = [401]
    with pytest.raises(TapewatchError, match="rejects the user") as error:
        import_objects(address, login)
    assert "p@ss" not in str(error.value)
    assert f"{address} " in error.value.cause


def test_without_a_login_nobody_logs_in(kibana: Kibana) -> None:
    import_objects(kibana.url)
    assert kibana.authorization is None


@pytest.mark.parametrize(("status", "page"), [(404, "no such page"), (302, ""), (400, "a bad request")])
def test_rejection_is_reported(kibana: Kibana, status: int, page: str) -> None:
    kibana.statuses, kibana.page = [status], page
    with pytest.raises(TapewatchError, match=f"{status}.*{page}"):
        import_objects(kibana.url)


def test_a_server_other_than_kibana_is_reported(kibana: Kibana, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kibana, "result", lambda _request, _body: ["no", "Kibana"])
    with pytest.raises(TapewatchError, match="Check that it is Kibana"):
        wait_for_kibana(kibana.url, None, CountedStop())


def test_kibana_that_stops_answering_is_reported(kibana: Kibana) -> None:
    kibana.statuses = [503]
    with pytest.raises(TapewatchError, match="does not answer"):
        import_objects(kibana.url)
    with pytest.raises(TapewatchError, match="does not answer"):
        import_objects("http://127.0.0.1:1")


def test_starting_kibana_is_waited_for(kibana: Kibana) -> None:
    kibana.statuses = [503, 503]
    assert wait_for_kibana(kibana.url, None, CountedStop())
    assert [path for _, path in kibana.calls] == ["/api/status"] * 3


def test_stop_ends_the_waiting(kibana: Kibana) -> None:
    stop = CountedStop()
    stop.request()
    assert not wait_for_kibana(kibana.url, None, stop)
