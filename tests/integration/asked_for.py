"""A stop that a test asks for, where a service runs inside the test's own process."""

import time


class AskedFor:
    """As `services.common.process.shutdown.Stop`, without signals."""

    requested = False
    overdue = False
    signal = None

    def wait(self, timeout_s: float) -> bool:
        """Sleep; returns whether a stop was asked for."""
        time.sleep(timeout_s)
        return self.requested
