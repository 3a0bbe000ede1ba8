"""Notices when Kafka's group coordinator answers, but can write no more."""

import threading
from collections.abc import Callable

from confluent_kafka import KafkaException

PAUSE_S = 5.0
STUCK_PROBES = 2
"""So many in a row: one alone may have met a coordinator that was loading its log on busy cores."""


class CoordinatorWatch:
    """Probes again and again, in a thread of its own, from its creation to `close`.

    Parameters
    ----------
    is_stuck_now
        Asks the coordinator, which may take seconds; raises KafkaException while no broker answers, which
        is not this watch's concern.
    pause_s
        Between two probes.
    """

    def __init__(self, is_stuck_now: Callable[[], bool], pause_s: float = PAUSE_S) -> None:
        self._is_stuck_now = is_stuck_now
        self._pause_s = pause_s
        self._in_a_row = 0
        self._closing = threading.Event()
        threading.Thread(target=self._run, name="coordinator-watch", daemon=True).start()

    @property
    def is_stuck(self) -> bool:
        """Whether the last probes all found the coordinator stuck."""
        return self._in_a_row >= STUCK_PROBES

    def close(self) -> None:
        """End the thread after the probe that it may be in; does not wait for that."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.wait(self._pause_s):
            try:
                is_stuck = self._is_stuck_now()
            except KafkaException:
                is_stuck = False
            self._in_a_row = self._in_a_row + 1 if is_stuck else 0
