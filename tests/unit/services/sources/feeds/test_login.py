import asyncio

import pytest

from services.sources.feeds import login as module
from services.sources.feeds.login import open_and_log_in
from services.sources.feeds.registry import make_venue
from services.sources.feeds.venue import Connection, ConnectionLostError, RefusedError


class Silent(Connection):
    """A connection of a venue that says nothing."""

    def __init__(self) -> None:
        self.is_closed = False

    async def send(self, text: str) -> None:
        """Take anything."""

    async def receive(self) -> bytes:
        await asyncio.sleep(3_600)
        raise AssertionError

    async def line(self) -> str:
        return (await self.receive()).decode()

    async def close(self) -> None:
        self.is_closed = True


async def opened(connection: Silent) -> Silent:
    return connection


async def let_in(_: Connection) -> None:
    """Log in at once."""


async def wait(connection: Connection) -> None:
    await connection.receive()


def test_who_is_let_in_stays_connected() -> None:
    connection = Silent()
    assert asyncio.run(open_and_log_in(opened(connection), let_in)) is connection
    assert not connection.is_closed


def test_a_venue_that_does_not_answer_in_time_is_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOGIN_S", 0.02)
    connection = Silent()
    with pytest.raises(ConnectionLostError, match="no answer to the login"):
        asyncio.run(open_and_log_in(opened(connection), wait))
    assert connection.is_closed


@pytest.mark.parametrize("error", [RefusedError("no", None), ConnectionLostError("gone"), KeyError("x")])
def test_a_login_that_fails_closes_the_connection(error: Exception) -> None:
    async def fail(_: Connection) -> None:
        raise error

    connection = Silent()
    with pytest.raises(type(error)):
        asyncio.run(open_and_log_in(opened(connection), fail))
    assert connection.is_closed


@pytest.mark.parametrize(
    ("feed", "opener"),
    [
        ("alpaca:iex", "alpaca.open_websocket"),
        ("massive", "massive_venue.open_websocket"),
        ("databento:XNAS.ITCH", "databento.open_tcp"),
    ],
)
def test_a_login_that_is_stopped_closes_the_connection(
    feed: str, opener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Silent()

    async def open_any(*_: object) -> Silent:
        return connection

    monkeypatch.setattr(f"services.sources.feeds.{opener}", open_any)

    async def stop_while_it_waits() -> None:
        connecting = asyncio.ensure_future(make_venue(feed, ["AAPL"]).connect())
        await asyncio.sleep(0.02)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting

    asyncio.run(stop_while_it_waits())
    assert connection.is_closed
