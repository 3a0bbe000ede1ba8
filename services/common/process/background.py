"""Calls in threads that the process does not wait for at its end, unlike those of `concurrent.futures`."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


def in_background(call: Callable[..., Any], *arguments: object, **named: object) -> Future[Any]:
    """Make a call in a thread of its own; returns a future of its result.

    A call that hangs for ever keeps its thread, but not the process.
    """
    outcome: Future[Any] = Future()
    threading.Thread(
        target=_run,
        args=(outcome, call, arguments, named),
        name=getattr(call, "__name__", None),
        daemon=True,
    ).start()
    return outcome


def _run(
    outcome: Future[Any], call: Callable[..., Any], arguments: tuple[object, ...], named: dict[str, object]
) -> None:
    try:
        outcome.set_result(call(*arguments, **named))
    except BaseException as error:
        outcome.set_exception(error)
    finally:
        # An error holds this frame, which would hold the outcome and the error until garbage is collected.
        del outcome, call, arguments, named


def is_done(outcome: Future[Any], within_s: float) -> bool:
    """Wait up to `within_s` for a call's end; returns whether it has come."""
    try:
        outcome.exception(within_s)
    except TimeoutError:
        return False
    return True
