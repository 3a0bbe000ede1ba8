"""Waiting for a server that is not there yet, with a log line now and then."""

import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError

from services.common.stops import Stop

LOG_EVERY_S = 10.0
TRY_EVERY_S = 0.5


def wait_until(
    answers: Callable[[], None],
    unreachable: type[Exception] | tuple[type[Exception], ...],
    what: str,
    stop: Stop,
) -> bool:
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
                log.warning(f"waiting for {what}", waited_s=waited_s, error=_brief(error))
                next_log = time.monotonic() + LOG_EVERY_S
            stop.wait(TRY_EVERY_S)
        else:
            return True
    return False


def _brief(error: Exception) -> str:
    """Write an error in a line; librdkafka's own text without its wrapping."""
    cause = error.args[0] if error.args else error
    return (cause.str() if isinstance(cause, KafkaError) else str(error))[:200]
