"""Waits for a server that does not answer yet, with a log line now and then."""

import time
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError

from services.common.process.shutdown import Stop

LOG_EVERY_S = 10.0
QUIET_S = 2.0
"""No warning before that: the server may be just starting."""
TRY_EVERY_S = 0.5


def wait_for_server(
    answers: Callable[[], None],
    unreachable: type[Exception] | tuple[type[Exception], ...],
    what: str,
    stop: Stop,
    beat: Callable[[], None] = lambda: None,
) -> bool:
    """Call `answers` until it no longer raises `unreachable`.

    Parameters
    ----------
    answers
        Asks the server something small.
    unreachable
        Raised while the server does not answer; any other error is passed on.
    what
        The server and its address, for the log.
    stop
        Ends the waiting.
    beat
        Called before each try, as by `Health.beat`.

    Returns
    -------
    bool
        True once the server has answered, False if a stop came first.
    """
    waiting = ThrottledWarning(what)
    while not stop.requested:
        beat()
        try:
            answers()
        except unreachable as error:
            waiting.note(error)
            stop.wait(TRY_EVERY_S)
        else:
            return True
    return False


class ThrottledWarning:
    """Logs now and then that a server is being waited for.

    Parameters
    ----------
    what
        The server and its address.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._began_s = time.monotonic()
        self._next_s = self._began_s + QUIET_S

    def note(self, error: Exception) -> None:
        """Log a failed try, unless one was logged a moment ago."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + LOG_EVERY_S
            structlog.get_logger().warning(
                f"waiting for {self._what}", waited_s=round(now_s - self._began_s), error=_brief(error)
            )


def _brief(error: Exception) -> str:
    """Write an error in a line; librdkafka's own text without its wrapping."""
    cause = error.args[0] if error.args else error
    return (cause.str() if isinstance(cause, KafkaError) else str(error))[:200]
