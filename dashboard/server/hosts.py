"""Answers only to the names that the dashboard has: a web page must not reach it under a name of its own.

A page that somebody visits can let its own name resolve to 127.0.0.1 (DNS rebinding). The browser then takes
the dashboard for a part of that page, which could read the data and record verdicts. But it still sends the
page's name in the header `Host`.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from dashboard.server.preload import AsgiApp, Message, Receive, Send

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not listened on


class KnownHosts:
    """An ASGI app that rejects requests and WebSockets for other hosts.

    Parameters
    ----------
    app
        Gets the others.
    hosts
        Names and addresses in addition to those of loopback, without ports.
    """

    def __init__(self, app: AsgiApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in (*LOOPBACK_NAMES, *hosts)}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand on what is for this dashboard."""
        if scope["type"] not in ("http", "websocket") or self._knows(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: answered with 403
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 421, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSAL})

    def _knows(self, scope: Message) -> bool:
        given = [value for name, value in scope["headers"] if name == b"host"]
        return len(given) == 1 and host_of(given[0].decode("latin-1")) in self._hosts


_REFUSAL = (
    b"This dashboard does not answer under this name.\n"
    b"Open it as 127.0.0.1, or name the host in TAPEWATCH_DASHBOARD_HOSTS when you start it.\n"
)


def host_of(header: str) -> str | None:
    """Return the host of a header `Host`, lower case, without port and brackets; None if there is none."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def own_hosts(listening_on: str, named: Sequence[str]) -> tuple[str, ...]:
    """Return the hosts of a server.

    Parameters
    ----------
    listening_on
        Where it listens; an address that stands for all of the machine's names none.
    named
        Those of the setting.
    """
    return tuple(named) if listening_on in EVERY_ADDRESS else (listening_on, *named)
