"""Imitates the few calls of Kibana that are used; Kibana itself cannot be installed with pip.

`python -m tests.standins.kibana PORT` runs it as a process of its own.
"""

import json
import sys
import threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Saved = dict[str, Any]


class Kibana:
    """Stores objects; answers with `statuses` first, one per request, instead of 200."""

    def __init__(self, port: int = 0) -> None:
        self.objects: dict[tuple[str, str], Saved] = {}
        self.statuses: list[int] = []
        self.page = "<html>"
        self.errors: list[Saved] = []
        self.imported: list[list[tuple[str, str]]] = []
        """The objects of each import."""
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

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self) -> None:
        """Serve until the process is ended."""
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer a request."""
        self.authorization = request.headers["authorization"]
        self.calls.append((request.command, request.path))
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            status, content = self.result(request, body)
        else:
            content = self.page
        request.send_response(status)
        request.send_header("content-length", str(len(content.encode())))
        request.end_headers()
        request.wfile.write(content.encode())

    def result(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, str]:
        """Return status and content."""
        url = urlsplit(request.path)
        query = parse_qs(url.query)
        if url.path.endswith("/_find"):
            return 200, json.dumps(self._find(query))
        if url.path.endswith("/_export"):
            return self._export(json.loads(body))
        if url.path.endswith("/_import"):
            assert request.headers["kbn-xsrf"]
            assert query["overwrite"] == ["true"]
            return self._import(request.headers["content-type"], body)
        assert url.path.endswith("/api/status")
        return 200, json.dumps({"status": {"overall": {"level": "available"}}})

    def _find(self, query: dict[str, list[str]]) -> Saved:
        found = [one for one in self.objects.values() if one["type"] in query["type"]]
        size, page = int(query["per_page"][0]), int(query["page"][0])
        shown = [
            {**one, "attributes": {k: v for k, v in one["attributes"].items() if k in query["fields"]}}
            for one in found[(page - 1) * size : page * size]
        ]
        return {"total": len(found), "saved_objects": shown}

    def _export(self, request: Saved) -> tuple[int, str]:
        keys = [(one["type"], one["id"]) for one in request["objects"]]
        lost = [key for key in keys if key not in self.objects]
        if lost:
            return 400, json.dumps({"message": "Error fetching objects to export", "objects": lost})
        lines = [json.dumps(self.objects[key] | {"updated_at": "2026-01-02T03:04:05.678Z"}) for key in keys]
        return 200, "\n".join(lines)

    def _import(self, content_type: str, body: bytes) -> tuple[int, str]:
        form = message_from_bytes(f"Content-Type: {content_type}\n\n".encode() + body, policy=policy.default)
        (part,) = form.iter_parts()
        assert (part.get_filename() or "").endswith(".ndjson")
        new = {
            (one["type"], one["id"]): one for one in map(json.loads, part.get_content().decode().splitlines())
        }
        errors = self.errors or [
            {"type": one["type"], "id": one["id"], "error": {"type": "missing_references"}}
            for one in new.values()
            for wanted in one["references"]
            if wanted["type"] in ("index-pattern", "search")
            and (wanted["type"], wanted["id"]) not in self.objects | new
        ]
        self.imported.append(list(new))
        if not errors:
            self.objects |= new
        return 200, json.dumps({"success": not errors, "errors": errors})


if __name__ == "__main__":
    Kibana(int(sys.argv[1])).wait()
