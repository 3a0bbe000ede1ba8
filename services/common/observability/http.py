"""What every service serves over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz`."""

import errno
import sys
import threading
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Self

import structlog
from prometheus_client import REGISTRY, Info
from prometheus_client.exposition import choose_encoder

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.observability.counters import ALIVE, READY
from services.common.observability.health import Health
from services.contracts.components import PORT_STEP, PORTS_TRIED, Component

_CLIENT_TIMEOUT_S = 10.0
_POLL_S = 0.1
"""Closing takes at most so long."""

_BUILD = Info("tapewatch_build", "Version of Tapewatch and name of the service.")


class MetricsServer:
    """Serves in the background until closed or until the process ends; `address` is `host:port`."""

    def __init__(self, server: "_Server") -> None:
        self.address = "{}:{}".format(*server.server_address)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve_metrics(component: Component, settings: Settings, health: Health) -> MetricsServer:
    """Serve `/metrics`, `/healthz` and `/readyz` of this process.

    Parameters
    ----------
    component
        The component that this process runs.
    settings
        Where to listen. Without a port: on the component's usual one, or on the first free one
        of those 10, 20 … 90 above it.
    health
        Result of the two checks.

    Raises
    ------
    TapewatchError
        The address cannot be listened on.
    """
    _BUILD.info({"version": version("tapewatch"), "service": component.service})
    ALIVE.labels(component.service).set_function(lambda: health.why_not_alive() is None)
    READY.labels(component.service).set_function(lambda: health.why_not_ready() is None)
    server = MetricsServer(_listen(component, settings, health))
    structlog.get_logger().info("metrics", address=server.address)
    return server


def _listen(component: Component, settings: Settings, health: Health) -> "_Server":
    host = settings.metrics_host
    service = component.service
    ports = [component.metrics_port + PORT_STEP * number for number in range(PORTS_TRIED)]
    if settings.metrics_port is not None:
        ports = [settings.metrics_port]
    for port in ports:
        try:
            return _Server((host, port), health)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise TapewatchError(
                    f"The {service} cannot serve its metrics on {host}:{port}: {error.strerror or error}.",
                    "Set TAPEWATCH_METRICS_HOST to an IPv4 address of this machine, "
                    "and TAPEWATCH_METRICS_PORT to a port that this user may use.",
                ) from error
    raise TapewatchError(
        f"The {service} cannot serve its metrics on {host}: "
        f"other processes listen on {', '.join(str(port) for port in ports)}.",
        "Set TAPEWATCH_METRICS_PORT to a free port, or to 0 for any free one.",
    )


class _Server(ThreadingTCPServer):
    """Not http.server's own class, which asks the name service for the host's name at its start."""

    allow_reuse_address = True  # as servers do it: connections that are still in TIME_WAIT do not count
    daemon_threads = True

    def __init__(self, address: tuple[str, int], health: Health) -> None:
        self.health = health
        super().__init__(address, _Handler)

    def handle_error(self, _request: object, client_address: object) -> None:
        """Log in one line a request that got no answer, such as of a client that left."""
        log = structlog.get_logger()
        log.warning("metrics request failed", client=str(client_address), error=repr(sys.exception()))


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _CLIENT_TIMEOUT_S

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Stay silent: a line for each scrape would bury the rest."""

    def _answer(self, with_body: bool) -> None:
        kind = "text/plain; charset=utf-8"
        match self.path.partition("?")[0]:
            case "/metrics":
                encode, kind = choose_encoder(self.headers.get("Accept", ""))
                status, body = 200, encode(REGISTRY)
            case "/healthz":
                status, body = _check(self.server.health.why_not_alive(), "ok")
            case "/readyz":
                status, body = _check(self.server.health.why_not_ready(), "ready")
            case _:
                status, body = 404, b"not found; available are /metrics, /healthz and /readyz\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _check(why_not: str | None, good: str) -> tuple[int, bytes]:
    return (200, f"{good}\n".encode()) if why_not is None else (503, f"{why_not}\n".encode())
