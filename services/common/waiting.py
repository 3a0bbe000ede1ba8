"""Waiting for a server that is not there yet, with a log line now and then."""

import time
from collections.abc import Callable

import structlog

from services.common.stops import Stop

LOG_EVERY_S = 10.0
TRY_EVERY_S = 0.5


def wait_until(answers: Callable[[], None], unreachable: type[Exception], what: str, stop: Stop) -> bool:
    """Call `answers` until it raises `unreachable` no more.

    Parameters
    ----------
    answers
        Asks the server something small.
    unreachable
        What it raises while the server is not there; any other error is passed on.
    what
        The server and its address, for the log.
    stop
        Ends the waiting.

    Returns
    -------
    bool
        True once the server has answered, False if a stop came first.
    """
    log = structlog.get_logger()
    began = time.monotonic()
    next_log = began + 2.0  # a server that is just starting deserves no alarm
    while not stop.requested:
        try:
            answers()
        except unreachable as error:
            if time.monotonic() >= next_log:
                waited_s = round(time.monotonic() - began)
                log.warning(f"waiting for {what}", waited_s=waited_s, error=str(error)[:200])
                next_log = time.monotonic() + LOG_EVERY_S
            stop.wait(TRY_EVERY_S)
        else:
            return True
    return False
