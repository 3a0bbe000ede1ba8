"""A connection to a venue that sends nothing by itself: its history is asked again and again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from services.sources.feeds.venue import ConnectionLostError

BEAT_S = 5.0


class Polling:
    """A frame is an answer about one symbol; or empty, each 5 s in which nothing is asked.

    Parameters
    ----------
    ask
        Asks for a symbol; returns the answer's body.
    symbols
        The symbols.
    every_s
        From one round of questions to the next.
    """

    def __init__(
        self, ask: Callable[[str], Awaitable[bytes]], symbols: Sequence[str], every_s: float
    ) -> None:
        self._ask = ask
        self._symbols = symbols
        self._every_s = every_s
        self._due: list[str] = []
        self._round_s = 0.0
        self._task: asyncio.Future[bytes] | None = None
        self._is_closed = False

    async def receive(self) -> bytes:
        """See `Connection`."""
        if self._is_closed:
            raise ConnectionLostError("closed")
        self._task = asyncio.ensure_future(self._next())
        try:
            return await self._task
        except asyncio.CancelledError:
            if not self._is_closed:
                raise
            raise ConnectionLostError("closed") from None

    async def close(self) -> None:
        """See `Connection`."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()

    async def _next(self) -> bytes:
        now_s = time.monotonic()
        if not self._due and now_s >= self._round_s:
            self._due = list(self._symbols)
            self._round_s = now_s + self._every_s
        if self._due:
            return await self._ask(self._due.pop(0))
        await asyncio.sleep(BEAT_S)
        return b""
