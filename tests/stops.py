"""Stops requested by tests that run a service in their own process."""

from services.common.process.shutdown import Stop


class AskedFor(Stop):
    """A stop without signals, whose grace period never expires, however slow the machine is."""

    def __init__(self) -> None:
        super().__init__(on_signals=False)

    @property
    def grace_expired(self) -> bool:
        """Never."""
        return False


class CountedStop(AskedFor):
    """Records the waits instead of sleeping, and requests a stop at the last of them."""

    def __init__(self, most_waits: int = 1_000) -> None:
        super().__init__()
        self.waits_s: list[float] = []
        self._most_waits = most_waits

    def wait(self, timeout_s: float) -> bool:
        """Record how long it would have slept."""
        self.waits_s.append(timeout_s)
        if len(self.waits_s) == self._most_waits:
            self.request()
        return self.requested
