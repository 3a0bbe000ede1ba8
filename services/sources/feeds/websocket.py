"""A venue's websocket."""

import asyncio

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from services.sources.feeds.venue import ConnectionLostError, RefusedError

OPEN_TIMEOUT_S = 10.0
PING_INTERVAL_S = 20.0
PING_TIMEOUT_S = 20.0
MOST_BYTES = 16 << 20
"""Largest message that is taken."""

GATHER_S = 0.005
"""When all that came has been taken, what comes next is taken together, at most twice this time later: waking
up for each frame costs more than reading it."""

QUEUED_FRAMES = 0
"""Frames that are read ahead: none but those that came together. Others wait in the socket, and when that is
full, the venue has to."""

PLAN_HINT = "Check the key, and what its plan allows."

_REFUSALS = (401, 403)


class Websocket:
    """An open connection; a frame is a message, text as UTF-8.

    Parameters
    ----------
    client
        The open client.
    """

    def __init__(self, client: ClientConnection) -> None:
        self._client = client

    async def send(self, text: str) -> None:
        """Send a message; raises ConnectionLostError."""
        try:
            await self._client.send(text)
        except ConnectionClosed as error:
            raise ConnectionLostError(_reason(error)) from error

    async def receive(self) -> bytes:
        """See `Connection`."""
        if len(self._client.recv_messages.frames) == 0:
            await asyncio.sleep(GATHER_S)
        try:
            return await self._client.recv(decode=False)
        except ConnectionClosed as error:
            raise ConnectionLostError(_reason(error)) from error

    async def close(self) -> None:
        """See `Connection`."""
        await self._client.close()


async def open_websocket(url: str, hint: str | None = None) -> Websocket:
    """Open a websocket.

    Parameters
    ----------
    url
        Its address.
    hint
        What to do where the venue answers 401 or 403; None where that may pass, as without a key.

    Raises
    ------
    ConnectionLostError
        It cannot be reached, or does not answer as a websocket.
    RefusedError
        It asks for another login.
    """
    try:
        client = await connect(
            url,
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            close_timeout=2.0,
            max_size=MOST_BYTES,
            max_queue=QUEUED_FRAMES,
            compression=None,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        words = (error.response.body or b"")[:200].decode(errors="replace").strip()
        if status in _REFUSALS:
            raise RefusedError(f"HTTP {status} {words}".strip(), hint) from None
        raise ConnectionLostError(f"HTTP {status} {words}".strip()) from None
    except (OSError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
        raise ConnectionLostError(str(error) or type(error).__name__) from error
    return Websocket(client)


def _reason(error: ConnectionClosed) -> str:
    if error.rcvd is None:
        return "the connection broke"
    return f"the venue closed it: {error.rcvd.code} {error.rcvd.reason}".strip()
