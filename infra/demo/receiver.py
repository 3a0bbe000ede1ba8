"""The demo's own webhook: it checks signatures, tells repeats by their ids, and keeps what it was told."""

import base64
import hmac
import secrets
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import orjson

from services.alerter.channels.webhook import PREFIX, signature, signing_key
from services.contracts.alert import AlertState

RULES = """\
# The demo's rules: docs/alerts.md has more. The webhook is the demo itself.
channels:
  demo: {{kind: webhook, url: "{url}", secret_files: ["{secret}"], allow_private: true}}
rules:
  - name: demo
    match: {{severity: medium}}
    group_by: label
    quiet: 5m
    inhibited_by: critical
    send: [{{channel: demo}}]
"""


@dataclass(frozen=True)
class Told:
    """What the receiver was told so far.

    Parameters
    ----------
    messages
        How many messages came.
    opened
        Alerts, as their first messages had them, in the order in which they came.
    repeats
        Messages that came again.
    """

    messages: int
    opened: tuple[dict[str, Any], ...]
    repeats: int


class AlertReceiver:
    """A running receiver; a context manager that ends it.

    Parameters
    ----------
    folder
        Gets the rules file and the secret that messages are signed with.
    """

    def __init__(self, folder: Path) -> None:
        secret = PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        self._key = signing_key(secret)
        self._lock = threading.Lock()
        self._keys: set[str] = set()
        self._opened: list[dict[str, Any]] = []
        self._repeats = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(204 if receiver._take(self.headers, body) else 401)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.rules = folder / "rules.yaml"
        secret_file = folder / "webhook-secret"
        secret_file.touch(mode=0o600)
        secret_file.write_text(secret)
        url = f"http://127.0.0.1:{self._server.server_port}/"
        self.rules.write_text(RULES.format(url=url, secret=secret_file.resolve()))

    @property
    def told(self) -> Told:
        """What came so far."""
        with self._lock:
            return Told(len(self._keys), tuple(self._opened), self._repeats)

    def _take(self, headers: Any, body: bytes) -> bool:  # noqa: ANN401
        """Take a message; returns whether it is signed as it should be."""
        key, at_s = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not at_s.isdecimal():
            return False
        wanted = signature(self._key, key, int(at_s), body)
        if not any(hmac.compare_digest(wanted, one) for one in headers.get("webhook-signature", "").split()):
            return False
        message = orjson.loads(body)
        with self._lock:
            if key in self._keys:
                self._repeats += 1
            elif message["type"] == f"alert.{AlertState.OPENED}":
                self._opened.append(message["data"])
            self._keys.add(key)
        return True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="alert-receiver", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
