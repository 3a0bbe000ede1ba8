"""A venue's websocket, against the server of the same library."""

import asyncio
from contextlib import suppress

import pytest
from websockets.asyncio.server import ServerConnection, serve

from services.sources.feeds import websocket
from services.sources.feeds.venue import ConnectionLostError
from services.sources.feeds.websocket import open_websocket

FRAMES = 2_000


async def received(pause_s: float) -> list[bytes]:
    """Return all frames of a venue that sends them one by one, the second half after a pause, and closes."""

    async def send(connection: ServerConnection) -> None:
        for number in range(FRAMES):
            if number == FRAMES // 2:
                await asyncio.sleep(pause_s)
            await connection.send(str(number))

    frames = []
    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        opened = await open_websocket(f"ws://127.0.0.1:{port}/")
        with suppress(ConnectionLostError):
            while True:
                frames.append(await opened.receive())
        await opened.close()
    return frames


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_frames_that_come_together_are_taken_together_in_order_and_none_is_lost_at_the_end(
    pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept = []
    sleep = asyncio.sleep

    async def count(seconds: float) -> None:
        if seconds == websocket.GATHER_S:
            slept.append(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", count)
    frames = asyncio.run(received(pause_s))
    assert frames == [str(number).encode() for number in range(FRAMES)]
    assert 0 < len(slept) < FRAMES / 4
