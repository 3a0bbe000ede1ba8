import asyncio

import pytest

from services.sources.feeds import polling as module
from services.sources.feeds.polling import Polling
from services.sources.feeds.venue import ConnectionLostError


async def say(symbol: str) -> bytes:
    return symbol.encode()


async def never(_: str) -> bytes:
    await asyncio.sleep(3_600)
    raise AssertionError


def test_each_symbol_is_asked_for_once_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.01)

    async def read() -> list[bytes]:
        connection = Polling(say, ["A", "B"], 0.1)
        frames: list[bytes] = []
        while frames.count(b"B") < 2:
            frames.append(await connection.receive())
        return frames

    frames = asyncio.run(asyncio.wait_for(read(), 5.0))
    assert [one for one in frames if one] == [b"A", b"B", b"A", b"B"]
    assert frames[:3] == [b"A", b"B", b""]


def test_a_close_ends_the_wait_for_an_answer() -> None:
    async def read() -> None:
        connection = Polling(never, ["A"], 60.0)
        reading = asyncio.ensure_future(connection.receive())
        await asyncio.sleep(0.01)
        await connection.close()
        with pytest.raises(ConnectionLostError):
            await reading
        with pytest.raises(ConnectionLostError):
            await connection.receive()

    asyncio.run(asyncio.wait_for(read(), 5.0))


def test_a_reader_that_is_cancelled_is_no_lost_connection() -> None:
    async def read() -> None:
        reading = asyncio.ensure_future(Polling(never, ["A"], 60.0).receive())
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(asyncio.wait_for(read(), 5.0))
