"""Detects when Kafka's group coordinator still answers but can no longer write."""

import threading
from collections.abc import Callable

from confluent_kafka import KafkaException

PAUSE_S = 5.0
STUCK_PROBES = 2
"""Failed probes in a row that count as stuck; a single one may have met a coordinator loading its log."""


class CoordinatorWatch:
    """Probes the coordinator repeatedly in a background thread, from its creation to `close`.

    Parameters
    ----------
    is_stuck_now
        Asks the coordinator, which may take seconds; raises KafkaException while no broker answers, which
        counts as not stuck.
    pause_s
        Pause between two probes, in seconds.
    """

    def __init__(self, is_stuck_now: Callable[[], bool], pause_s: float = PAUSE_S) -> None:
        self._is_stuck_now = is_stuck_now
        self._pause_s = pause_s
        self._in_a_row = 0
        self._closing = threading.Event()
        threading.Thread(target=self._run, name="coordinator-watch", daemon=True).start()

    @property
    def is_stuck(self) -> bool:
        """Whether the last `STUCK_PROBES` probes all found the coordinator stuck."""
        return self._in_a_row >= STUCK_PROBES

    def close(self) -> None:
        """End the thread after its current probe; does not wait for that."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.wait(self._pause_s):
            try:
                is_stuck = self._is_stuck_now()
            except KafkaException:
                is_stuck = False
            self._in_a_row = self._in_a_row + 1 if is_stuck else 0
