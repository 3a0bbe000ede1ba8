"""Against the stand-in, in a process of its own, which Databento's client accepts too."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import databento
import pytest

from services.sources.feeds.databento import Databento, whole_records
from services.sources.feeds.tcp import open_tcp
from services.sources.feeds.venue import Connection, ConnectionLostError, RefusedError
from tests.standins.databento import KEY, MOST_SESSIONS
from tests.standins.faults import Fault
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig

TAPE = TapeConfig(("MSFT", "AAPL"), per_second=50, seconds=40, speed=40, seed=1)
WRONG_KEY = "db-" + "x" * 29
WAIT_S = 20.0


@pytest.fixture(scope="module")
def standin() -> Iterator[StandInProcess]:
    with StandInProcess("databento", TAPE, [Fault("halt", 100)]) as running:
        yield running


def venue(
    standin: StandInProcess, folder: Path, monkeypatch: pytest.MonkeyPatch, key: str = KEY
) -> Databento:
    (folder / "key").write_text(key)
    monkeypatch.setenv("TAPEWATCH_DATABENTO_KEY_FILE", str(folder / "key"))
    venue = Databento(["MSFT", "AAPL"], standin.urls[1], None, "XNAS.ITCH")
    venue.read_keys()
    return venue


async def connect(opened: Databento) -> Connection:
    """Connect, and wait while the gateway refuses a sixth connection within a second."""
    ends_s = time.monotonic() + WAIT_S
    while True:
        try:
            return await opened.connect()
        except ConnectionLostError:
            assert time.monotonic() < ends_s
            await asyncio.sleep(0.3)


def test_databentos_own_client_accepts_the_stand_in(standin: StandInProcess) -> None:
    host, _, port = standin.urls[1].partition(":")
    client = databento.Live(key=KEY, gateway=host, port=int(port), heartbeat_interval_s=5)
    records: list[Any] = []
    client.add_callback(records.append)
    client.subscribe("XNAS.ITCH", "trades", ["MSFT", "AAPL", "NOPE"], start=1)
    client.subscribe("XNAS.ITCH", "status", ["MSFT", "AAPL"])
    client.start()
    ends_s = time.monotonic() + WAIT_S
    while not any(str(getattr(one, "code", "")) == "heartbeat" for one in records):
        assert time.monotonic() < ends_s
        time.sleep(0.1)
    client.stop()
    with pytest.raises(databento.BentoError, match="NOPE"):  # it ends with the last error, a harmless one too
        client.block_for_close(WAIT_S)
    counts = Counter(type(one).__name__ for one in records)
    assert counts["TradeMsg"] == standin.state()["prints"]
    assert counts["ErrorMsg"] == 1
    assert client.symbology_map == {10_000: "MSFT", 10_001: "AAPL"}
    codes = {str(one.code) for one in records if type(one).__name__ == "SystemMsg"}
    assert codes == {"subscription_ack", "replay_completed", "heartbeat"}


def test_databentos_own_client_is_refused_with_a_wrong_key(standin: StandInProcess) -> None:
    host, _, port = standin.urls[1].partition(":")
    client = databento.Live(key=WRONG_KEY, gateway=host, port=int(port))
    with pytest.raises(databento.BentoError, match="Authentication failed"):
        client.subscribe("XNAS.ITCH", "trades", ["MSFT"])


def test_a_wrong_key_ends_the_feed_with_the_gateways_words(
    standin: StandInProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError, match="Authentication failed") as refused:
        asyncio.run(connect(venue(standin, tmp_path, monkeypatch, WRONG_KEY)))
    assert refused.value.hint
    assert WRONG_KEY not in str(refused.value) + refused.value.hint


def test_a_session_too_many_is_tried_again(
    standin: StandInProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = venue(standin, tmp_path, monkeypatch)

    async def open_too_many() -> None:
        sessions: list[Connection] = []
        try:
            while len(sessions) < MOST_SESSIONS:
                sessions.append(await connect(opened))
            with pytest.raises(RefusedError, match="limit") as refused:
                await connect(opened)
            assert refused.value.hint is None
        finally:
            for one in sessions:
                await one.close()

    asyncio.run(open_too_many())


def test_it_reads_what_the_gateway_sends(
    standin: StandInProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = venue(standin, tmp_path, monkeypatch)

    async def read() -> int:
        connection = await connect(opened)
        prints = 0
        frame = opened.decode(await connection.receive())
        while not frame.notes:
            assert not frame.bad
            frame = opened.decode(await connection.receive())
            prints += len(frame.prints)
        await connection.close()
        return prints

    opened._starts = {"MSFT": 0, "AAPL": 0}
    opened._begin()
    assert asyncio.run(read()) == standin.state()["prints"]


def test_what_is_no_gateway_is_a_lost_connection(
    standin: StandInProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n")
        await writer.drain()
        writer.close()

    async def check() -> None:
        server = await asyncio.start_server(hello, "127.0.0.1", 0)
        opened = venue(standin, tmp_path, monkeypatch)
        opened._address = server.sockets[0].getsockname()[:2]
        with pytest.raises(ConnectionLostError, match="does not answer as a gateway"):
            await opened.connect()
        server.close()

    asyncio.run(check())


def test_a_clean_close_is_a_lost_connection() -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"some")
        await writer.drain()
        writer.close()

    async def check() -> None:
        server = await asyncio.start_server(close, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        connection = await open_tcp(host, port, whole_records)
        with pytest.raises(ConnectionLostError, match="the venue closed it"):
            await connection.receive()
        await connection.close()
        server.close()

    asyncio.run(check())


def test_nobody_at_the_address_is_a_lost_connection() -> None:
    async def check() -> None:
        with pytest.raises(ConnectionLostError):
            await open_tcp("127.0.0.1", 1, len)

    asyncio.run(check())
