"""A venue's connection by plain TCP: lines of text for the login, then frames of its own kind."""

import asyncio
import contextlib
from collections.abc import Callable

from services.sources.feeds.venue import ConnectionLostError

OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
READ_BYTES = 1 << 18
"""Most bytes of a frame, but for one that is larger itself; four times as many are read ahead."""


class TcpConnection:
    """An open connection.

    Parameters
    ----------
    reader, writer
        Its two ends.
    whole
        Tells how many bytes of what was received are whole frames; 0 to wait for more.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, whole: Callable[[bytes], int]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._whole = whole
        self._rest = b""

    async def send(self, text: str) -> None:
        """Send a message; raises ConnectionLostError."""
        try:
            self._writer.write(text.encode())
            await self._writer.drain()
        except OSError as error:
            raise ConnectionLostError(f"the connection broke: {error.strerror or error}") from error

    async def line(self) -> str:
        """Return the next line of text, without its end; raises ConnectionLostError."""
        try:
            line = await asyncio.wait_for(self._reader.readline(), OPEN_TIMEOUT_S)
        except TimeoutError:
            raise ConnectionLostError("the venue does not answer the login") from None
        except (OSError, ValueError) as error:
            raise ConnectionLostError(f"the connection broke: {error}") from error
        if not line.endswith(b"\n"):
            raise ConnectionLostError("the venue closed it during the login")
        return line[:-1].decode(errors="replace").rstrip("\r")

    async def receive(self) -> bytes:
        """See `Connection`; all frames that have come, in one."""
        data = self._rest
        while not (end := self._whole(data)):
            try:
                piece = await self._reader.read(READ_BYTES)
            except OSError as error:
                raise ConnectionLostError(f"the connection broke: {error.strerror or error}") from error
            if not piece:
                raise ConnectionLostError("the venue closed it")
            data += piece
        self._rest = data[end:]
        return data[:end]

    async def close(self) -> None:
        """See `Connection`."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), CLOSE_TIMEOUT_S)


async def open_tcp(host: str, port: int, whole: Callable[[bytes], int]) -> TcpConnection:
    """Open a connection.

    Raises
    ------
    ConnectionLostError
        It cannot be reached.
    """
    try:
        opening = asyncio.open_connection(host, port, limit=2 * READ_BYTES)
        return TcpConnection(*await asyncio.wait_for(opening, OPEN_TIMEOUT_S), whole)
    except TimeoutError:
        raise ConnectionLostError(f"{host}:{port} does not answer") from None
    except OSError as error:
        raise ConnectionLostError(str(error) or type(error).__name__) from error
