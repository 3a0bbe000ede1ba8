"""Opens a connection and logs in; it is closed again whenever that does not succeed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.sources.feeds.venue import Connection, ConnectionLostError

LOGIN_S = 10.0

Opened = TypeVar("Opened", bound=Connection)


async def open_and_log_in(opening: Awaitable[Opened], log_in: Callable[[Opened], Awaitable[None]]) -> Opened:
    """Return an open connection that the venue has let in.

    Parameters
    ----------
    opening
        Opens the connection.
    log_in
        Logs in and subscribes, within 10 s.

    Raises
    ------
    ConnectionLostError
        It cannot be reached, hung up, or does not answer in time.
    RefusedError
        It refuses the login or the subscription.
    """
    connection = await opening
    try:
        async with asyncio.timeout(LOGIN_S):
            await log_in(connection)
    except TimeoutError:
        await connection.close()
        raise ConnectionLostError(f"no answer to the login within {LOGIN_S:.0f} s") from None
    except BaseException:  # a stop, too, must not leave a connection that the venue counts
        await connection.close()
        raise
    return connection
