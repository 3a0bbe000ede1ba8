"""Whether a service is alive, and whether it is ready: what `/healthz` and `/readyz` report."""

import time
from collections.abc import Callable


class Health:
    """One service's health; its main loop writes it, the metrics server's threads read it.

    Parameters
    ----------
    stale_after_s
        Time without a beat after which the main loop counts as stuck, in seconds.
    clock_s
        Seconds that never go back.
    """

    def __init__(self, stale_after_s: float = 60.0, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.ready = False
        """Whether the service is connected and working."""
        self.detail = "starting"
        """Why it is not ready."""
        self._stale_after_s = stale_after_s
        self._clock_s = clock_s
        self._beat_at_s = clock_s()

    def beat(self) -> None:
        """Report that the main loop is running; call it on each turn, also while waiting for a server."""
        self._beat_at_s = self._clock_s()

    def why_not_alive(self) -> str | None:
        """Return since when the main loop has been stuck; None if it is not."""
        silent_s = self._clock_s() - self._beat_at_s
        if silent_s < self._stale_after_s:
            return None
        return f"the main loop has been stuck for {silent_s:.0f} s (limit {self._stale_after_s:.0f} s)"

    def why_not_ready(self) -> str | None:
        """Return why the service does not work; None if it does."""
        return self.why_not_alive() or (None if self.ready else self.detail)


class JointHealth(Health):
    """The health of a process with several main loops, each of which writes its own.

    Parameters
    ----------
    parts
        One of each loop.
    """

    def __init__(self, *parts: Health) -> None:
        super().__init__()
        self._parts = parts

    def why_not_alive(self) -> str | None:
        """Return since when one of the main loops has been stuck; None if none is."""
        return next((reason for part in self._parts if (reason := part.why_not_alive())), None)

    def why_not_ready(self) -> str | None:
        """Return why one part does not work; None if all do."""
        return next((reason for part in self._parts if (reason := part.why_not_ready())), None)
