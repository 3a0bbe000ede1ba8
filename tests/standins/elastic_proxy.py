"""A proxy in front of Elasticsearch that can be away, hang, or refuse, and counts what it is asked."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_NOT_FORWARDED = {"connection", "transfer-encoding", "content-length", "content-encoding", "accept-encoding"}


class ElasticProxy(ThreadingHTTPServer):
    """Forwards to one server.

    Parameters
    ----------
    upstream
        Its URL.
    """

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.netloc = urlsplit(upstream).netloc
        self.is_away = False
        self.status: int | None = None
        """What every request is answered with instead; None to forward it."""
        self.reason = ""
        self.hangs_s = 0.0
        self._lock = threading.Lock()
        self.searches = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def count(self) -> None:
        """Count a search."""
        with self._lock:
            self.searches += 1


class _Handler(BaseHTTPRequestHandler):
    server: ElasticProxy
    protocol_version = "HTTP/1.1"

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.is_away:
            self.close_connection = True
            return
        time.sleep(self.server.hangs_s)
        if "_search" in self.path:
            self.server.count()
        if self.server.status is not None:
            error = {"type": "stand_in", "reason": self.server.reason}
            answer = json.dumps({"error": {"root_cause": [error], **error}, "status": self.server.status})
            self._answer(self.server.status, {"Content-Type": "application/json"}, answer.encode())
            return
        connection = http.client.HTTPConnection(self.server.netloc, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_FORWARDED}
        try:
            connection.request(self.command, self.path, body or None, headers)
            answered = connection.getresponse()
            self._answer(answered.status, dict(answered.getheaders()), answered.read())
        finally:
            connection.close()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _forward  # noqa: N815 - the base class's names

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        known = {name.lower() for name in headers}
        if "x-elastic-product" not in known:
            self.send_header("X-Elastic-Product", "Elasticsearch")
        for name, value in headers.items():
            if name.lower() not in _NOT_FORWARDED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def elastic_proxy(upstream: str) -> Iterator[ElasticProxy]:
    """Run a proxy until the end of the block."""
    with ElasticProxy(upstream) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
