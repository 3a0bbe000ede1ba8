"""A server that answers like an Elasticsearch with security and lifecycle policies."""

import base64
import fnmatch
import json
import re
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from services.contracts.indices import (
    ALERT_FIELD_TYPES,
    ANOMALY_FIELD_TYPES,
    CORRECTION_FIELD_TYPES,
    DELIVERY_FIELD_TYPES,
    FEED_EVENT_FIELD_TYPES,
    PROFILE_FIELD_TYPES,
    SILENCE_FIELD_TYPES,
    TRADE_FIELD_TYPES,
)

ADMIN = ("elastic", "the-admins-password")
API_KEY = "an-encoded-api-key"

Body = dict[str, Any]


@dataclass
class FullCluster:
    """The state of the cluster, which tests may set.

    Parameters
    ----------
    security, lifecycle
        Whether it has them; without, it answers as a server without these modules does.
    tls
        For https.
    """

    security: bool = True
    lifecycle: bool = True
    tls: ssl.SSLContext | None = None
    version: str = "9.1.0"
    health: str = "green"
    reason: str = "security_exception"
    """Type of the error in a rejection."""
    refuses: dict[str, int] = field(default_factory=dict)
    """Status by the start of a path that is rejected."""
    kept: dict[str, Body] = field(default_factory=dict)
    """What was stored, by path: policies, roles, templates, and users without their passwords."""
    size_types: dict[str, str] = field(default_factory=dict)
    """The type of the field `size`, by index."""
    passwords: dict[str, str] = field(default_factory=lambda: {ADMIN[0]: ADMIN[1]})
    types: dict[str, str] = field(
        default_factory=lambda: (
            TRADE_FIELD_TYPES
            | ANOMALY_FIELD_TYPES
            | CORRECTION_FIELD_TYPES
            | FEED_EVENT_FIELD_TYPES
            | ALERT_FIELD_TYPES
            | DELIVERY_FIELD_TYPES
            | SILENCE_FIELD_TYPES
            | PROFILE_FIELD_TYPES
        )
    )
    """Types that a new index would give to its fields."""
    auto_create: str = "true"
    """Its setting `action.auto_create_index`."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each."""

    def __enter__(self) -> Self:
        cluster: FullCluster = self

        class Handler(_Handler):
            state = cluster

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def changes(self) -> list[str]:
        """The requests that may have changed something."""
        return [request for request in self.requests if not request.startswith(("GET", "HEAD"))]

    def answer(self, method: str, path: str, credentials: str | None, body: Body) -> tuple[int, Body]:
        """Return status and body."""
        who = self._who(credentials)
        if self.security and who is None:
            return 401, _error(401, "security_exception", "unable to authenticate")
        for start, status in self.refuses.items():
            if path.startswith(start):
                return status, _error(status, self.reason, f"[{path}] is unauthorized")
        modules = {"/_security/": self.security, "/_ilm/": self.lifecycle}
        if not all(there for start, there in modules.items() if path.startswith(start)):
            return 400, {"error": f"no handler found for uri [{path}] and method [{method}]", "status": 400}
        if path == "/_security/_authenticate":
            return 200, {"username": who}
        if path == "/":
            return 200, {"version": {"number": self.version}}
        if path == "/_cluster/health":
            return 200, {"status": self.health}
        if path == "/_ilm/status":
            return 200, {}
        if path == "/_cluster/settings":
            return 200, {"defaults": {"action.auto_create_index": self.auto_create}}
        if path.startswith("/_index_template/_simulate_index/"):
            return 200, {"template": {"mappings": _mappings(self.types)}}
        if re.match(r"/trades-\*,anomalies-\*,[\w*,-]+/_settings", path):
            return 200, {}
        if match := re.fullmatch(r"/_security/user/([\w-]+)/_password", path):
            self.passwords[match[1]] = body["password"]
            return 200, {}
        if path.endswith("/_mapping/field/size"):
            kinds = self.size_types.items()
            return 200, {
                name: {"mappings": {"size": {"mapping": {"size": {"type": kind}}}}} for name, kind in kinds
            }
        if method == "PUT":
            return self._put(path, body)
        return self._get(path)

    def _who(self, credentials: str | None) -> str | None:
        kind, _, text = (credentials or "").partition(" ")
        if kind == "ApiKey" and text == API_KEY:
            return "by-api-key"
        if kind != "Basic":
            return None
        user, _, password = base64.b64decode(text).decode().partition(":")
        enabled = self.kept.get(f"/_security/user/{user}", {}).get("enabled", True)
        return user if enabled and self.passwords.get(user) == password else None

    def _put(self, path: str, body: Body) -> tuple[int, Body]:
        if path.startswith("/_security/user/"):
            name = path.rpartition("/")[2]
            password = body.pop("password", None)
            if password is not None:
                self.passwords[name] = password
            elif name not in self.passwords:
                return 400, _error(400, "validation_exception", "password must be specified for a new user")
            body = {"enabled": True, "username": name} | body
        if path.startswith("/_security/role/"):
            body = _as_told(body)
        self.kept[path] = body
        return 200, {"acknowledged": True}

    def _get(self, path: str) -> tuple[int, Body]:
        name = path.rpartition("/")[2]
        if path == "/_index_template":
            listed = [key for key in self.kept if key.startswith("/_index_template/")]
            return 200, {
                "index_templates": [
                    {"name": key.rpartition("/")[2], "index_template": self.kept[key]} for key in listed
                ]
            }
        if re.fullmatch(r"/[\w-]+\*", path):  # an index pattern
            there = any(fnmatch.fnmatchcase(one, path) for one in self.kept)
            return (200, {}) if there else (404, {})
        if path not in self.kept:
            return 404, {} if path.startswith("/_security/") else _error(404, "missing", f"no {name}")
        found = self.kept[path]
        if path.startswith("/_component_template/"):
            return 200, {"component_templates": [{"name": name, "component_template": found}]}
        if path.startswith("/_index_template/"):
            return 200, {"index_templates": [{"name": name, "index_template": found}]}
        return 200, {name: found | {"version": 1} if path.startswith("/_ilm/") else found}


def _as_told(role: Body) -> Body:
    """Return a role as Elasticsearch returns it, with the fields that it adds."""
    return {
        "cluster": role.get("cluster", []),
        "indices": [one | {"allow_restricted_indices": False} for one in role.get("indices", [])],
        "applications": role.get("applications", []),
        "run_as": [],
        "metadata": {},
        "transient_metadata": {"enabled": True},
    }


def _mappings(types: dict[str, str]) -> Body:
    mappings: Body = {}
    for name, kind in types.items():
        place = mappings
        for part in name.split("."):
            place = place.setdefault("properties", {}).setdefault(part, {})
        place["type"] = kind
    return mappings


def _error(status: int, kind: str, reason: str) -> Body:
    return {"error": {"type": kind, "reason": reason}, "status": status}


class _Handler(BaseHTTPRequestHandler):
    state: FullCluster
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.partition("?")[0]
        self.state.requests.append(f"{self.command} {path}")
        status, body = self.state.answer(
            self.command, path, self.headers.get("authorization"), json.loads(content or "{}")
        )
        answer = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/vnd.elasticsearch+json;compatible-with=9")
        self.send_header("x-elastic-product", "Elasticsearch")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_HEAD = do_PUT = do_POST = _answer  # noqa: N815 - the server's names

    def log_message(self, *_: object) -> None:
        pass
