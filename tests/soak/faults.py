"""What is done to whom in a soak, a fault a minute in turn."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from infra.embedded.server import Server
from tests.chaos.processes import Service

PAUSE_S = 12.0
"""Longer than the timeouts of a session (6 s) and a transaction (10 s)."""

DOWN_S = 2.0


class Way(StrEnum):
    """How a fault strikes."""

    KILL = "kill"
    """SIGKILL, and a start two seconds later."""
    PAUSE = "pause"
    """SIGSTOP for twelve seconds."""


@dataclass(frozen=True)
class Fault:
    """A fault of the turn."""

    way: Way
    victim: str

    def __str__(self) -> str:
        return f"{self.way} {self.victim}"


TURN = (
    Fault(Way.KILL, "detector-a"),
    Fault(Way.KILL, "kafka"),
    Fault(Way.PAUSE, "indexer"),
    Fault(Way.KILL, "elasticsearch"),
    Fault(Way.KILL, "producer"),
    Fault(Way.PAUSE, "detector-b"),
    Fault(Way.KILL, "alerter"),
    Fault(Way.KILL, "indexer"),
)
"""The second detector is never killed, so that its age is that of the run."""


class Faults:
    """Strikes in turn, and undoes each strike when it is due.

    Parameters
    ----------
    services, servers
        By name.
    start
        Starts the service of a name.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        servers: Mapping[str, Server],
        start: Callable[[str], None],
    ) -> None:
        self._services = services
        self._servers = servers
        self._start = start
        self._turn = itertools.cycle(TURN)
        self._due: list[tuple[float, Fault]] = []

    def strike(self) -> Fault:
        """Strike the next one, and return what was done."""
        fault = next(self._turn)
        if fault.victim in self._servers:
            server = self._servers[fault.victim]
            os.kill(server.pid or 0, signal.SIGKILL)
            server.kill()
        elif fault.way is Way.KILL:
            self._services[fault.victim].kill()
        else:
            self._services[fault.victim].pause()
        after_s = DOWN_S if fault.way is Way.KILL else PAUSE_S
        self._due.append((time.monotonic() + after_s, fault))
        return fault

    def undo(self, *, at_once: bool = False) -> None:
        """Start or resume those whose time has come, or all."""
        for entry in list(self._due):
            due_s, fault = entry
            if not at_once and time.monotonic() < due_s:
                continue
            self._due.remove(entry)
            if fault.victim in self._servers:
                self._servers[fault.victim].launch()
            elif fault.way is Way.KILL:
                self._start(fault.victim)
            else:
                self._services[fault.victim].resume()

    def is_down(self, name: str) -> bool:
        """Whether a victim is killed and not started again yet."""
        return any(fault.victim == name and fault.way is Way.KILL for _, fault in self._due)
