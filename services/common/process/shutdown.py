"""A service's stop: the first Ctrl-C or SIGTERM asks it to finish and commit, the second ends it at once."""

import os
import signal
import threading
import time

GRACE_S = 5.0
"""Work in flight may take that long after a stop; then it is abandoned, and the next run does it again."""


class Stop:
    """Listens for SIGINT and SIGTERM from its creation on; create it in the main thread.

    A separate thread receives them, as the main one may be inside a client's call for seconds.

    Parameters
    ----------
    on_signals
        Without, only `request` asks for a stop: for a service inside a process whose signals are not its own.
    """

    def __init__(self, *, on_signals: bool = True) -> None:
        self._event = threading.Event()
        self._asked_s = 0.0
        self.signal: int | None = None
        if on_signals:
            self._hear_signals()

    def _hear_signals(self) -> None:
        heard, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # Python writes the number into the pipe at once
        threading.Thread(target=self._listen, args=(heard,), name="stop", daemon=True).start()

    def _listen(self, heard: int) -> None:
        while numbers := os.read(heard, 16):
            for number in numbers:
                if number in (signal.SIGINT, signal.SIGTERM):
                    self._receive(number)

    def _receive(self, number: int) -> None:
        if self._event.is_set():
            os._exit(128 + number)
        self.signal = number
        self.request()

    def request(self) -> None:
        """Request a stop, as the first signal does."""
        self._asked_s = time.monotonic()
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether a stop was requested."""
        return self._event.is_set()

    @property
    def grace_expired(self) -> bool:
        """Whether a stop was requested so long ago that nothing may be waited for any more."""
        return self.requested and time.monotonic() - self._asked_s >= GRACE_S

    def wait(self, timeout_s: float) -> bool:
        """Sleep, but not beyond a stop; returns whether one was requested."""
        return self._event.wait(timeout_s)
