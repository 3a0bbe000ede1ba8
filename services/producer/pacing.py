"""When to publish which trade: as fast as possible, or by event time at a given speed."""

import time
from collections.abc import Callable, Iterator

import numpy as np

MAX_SLICE_TRADES = 10_000
TICK_S = 0.05


def slices(
    event_ns: np.ndarray, speed: float | None, clock: "Clock", sleep: Callable[[float], object] = time.sleep
) -> Iterator[slice]:
    """Cut a chunk of trades into pieces, each yielded when it is due.

    Parameters
    ----------
    event_ns
        Event times, int64, shape (n,). One earlier than those before it is due with them.
    speed
        Event seconds in a second; None for no waiting.
    clock
        Clock of this file; shared by its chunks.
    sleep
        Waits that many seconds.
    """
    start = 0
    latest_ns = np.maximum.accumulate(event_ns)
    while start < len(event_ns):
        end = min(start + MAX_SLICE_TRADES, len(event_ns))
        if speed is not None:
            wait_s = clock.due_in_s(int(latest_ns[start]), speed)
            if wait_s > 0:
                sleep(min(wait_s, 1.0))  # in short naps, so that a stop is noticed
                if wait_s > 1.0:
                    yield slice(start, start)
                    continue
            due_ns = clock.event_ns_now(speed, ahead_s=TICK_S)
            end = min(end, max(start + 1, int(np.searchsorted(latest_ns, due_ns, side="right"))))
        yield slice(start, end)
        start = end


class Clock:
    """Ties a file's first trade to the moment at which it was published."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._origin: tuple[int, float] | None = None

    def due_in_s(self, event_ns: int, speed: float) -> float:
        """Return how many seconds from now an event is due; the first one asked for is due now."""
        if self._origin is None:
            self._origin = (event_ns, self._now_s())
        first_ns, began_s = self._origin
        return (event_ns - first_ns) / 1e9 / speed - (self._now_s() - began_s)

    def event_ns_now(self, speed: float, ahead_s: float) -> int:
        """Return the event time that is due `ahead_s` seconds from now."""
        first_ns, began_s = self._origin or (0, self._now_s())
        return first_ns + int((self._now_s() - began_s + ahead_s) * speed * 1e9)
