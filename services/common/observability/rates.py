"""Events per second."""

import threading
import time
from collections.abc import Callable

from prometheus_client import Gauge

RATE_WINDOW_S = 10


class Rate:
    """Keeps a gauge at the events per second of the last `RATE_WINDOW_S` full seconds.

    Parameters
    ----------
    gauge
        Reads the rate whenever it is scraped, so that it falls to 0 when nothing comes.
    clock_s
        Seconds that never go back.
    """

    def __init__(self, gauge: Gauge, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        # A ring of (second, events): the full seconds, and the one that is not over.
        self._counts = [(-1, 0.0)] * (RATE_WINDOW_S + 1)
        gauge.set_function(self.per_second)

    def add(self, events: float) -> None:
        """Count events that happened now."""
        second = int(self._clock_s())
        at = second % len(self._counts)
        with self._lock:
            counted_second, counted = self._counts[at]
            self._counts[at] = (second, events + (counted if counted_second == second else 0.0))

    def per_second(self) -> float:
        """Return the rate now, in events per second."""
        now = int(self._clock_s())
        with self._lock:
            return sum(n for second, n in self._counts if now - RATE_WINDOW_S <= second < now) / RATE_WINDOW_S
