import asyncio
from typing import Any

import pytest

from dashboard.server.asgi import where
from dashboard.server.hosts import KnownHosts, own_hosts
from dashboard.settings import DashboardSettings
from services.common.errors import TapewatchError


def answer(*hosts: str, kind: str = "http", named: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return what an app that says "in" sends, behind the check, to a request with these headers `Host`."""
    sent: list[dict[str, Any]] = []

    async def app(_scope: object, _receive: object, send: Any) -> None:  # noqa: ANN401
        await send({"type": "in"})

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    scope = {"type": kind, "headers": [(b"host", host.encode()) for host in hosts]}
    asyncio.run(KnownHosts(app, named)(scope, receive, send))
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "host", ["127.0.0.1:8501", "localhost:8501", "LocalHost", "[::1]:8501", "desk.example:443", "10.0.0.5"]
)
def test_own_names_are_answered(host: str, kind: str) -> None:
    assert answer(host, kind=kind, named=("Desk.example", "10.0.0.5")) == [{"type": "in"}]


@pytest.mark.parametrize(
    "hosts",
    [
        ["evil.example:8501"],
        ["127.0.0.1.evil.example"],
        ["localhost@evil.example"],
        [""],
        [],
        ["[::1"],
        ["127.0.0.1", "evil.example"],
    ],
)
def test_other_names_are_told_how_to_be_let_in(hosts: list[str]) -> None:
    start, body = answer(*hosts)
    assert start["status"] == 421
    assert b"TAPEWATCH_DASHBOARD_HOSTS" in body["body"]
    assert answer(*hosts, kind="websocket") == [{"type": "websocket.close", "code": 1008}]


def test_start_of_the_server_is_passed_on() -> None:
    assert answer(kind="lifespan") == [{"type": "in"}]


@pytest.mark.parametrize(
    ("host", "hosts", "said"),
    [
        ("127.0.0.1", ("127.0.0.1", "a"), "is at http://127.0.0.1:8501"),
        ("::1", ("::1", "a"), "is at http://[::1]:8501"),
        ("0.0.0.0", ("a",), "listens on port 8501 of every address"),  # noqa: S104
    ],
)
def test_server_knows_and_says_where_it_listens(host: str, hosts: tuple[str, ...], said: str) -> None:
    assert own_hosts(host, ["a"]) == hosts
    assert where(host, 8501) == f"The dashboard {said}"


def test_hosts_are_a_list_of_names_without_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_DASHBOARD_HOSTS", "desk.example, [fe80::1],10.0.0.5")
    assert DashboardSettings().dashboard_hosts == ("desk.example", "fe80::1", "10.0.0.5")
    monkeypatch.setenv("TAPEWATCH_DASHBOARD_HOSTS", "http://desk.example")
    with pytest.raises(TapewatchError, match="host 1 of 1 is no name or address"):
        DashboardSettings()
