"""A receiver that is killed and started again on the same port, and misbehaves by a plan in between."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.standins.receivers.faults import ReceiverFault, ReceiverFaultKind
from tests.standins.receivers.process import ReceiverProcess

REFUSING: tuple[ReceiverFaultKind, ...] = ("error", "busy", "reset", "redirect")
CUTTING: tuple[ReceiverFaultKind, ...] = ("cut", "half")
"""The message is taken, and its sender cannot know."""

FAULT_EVERY = 9
"""Requests from one fault to the next, on average."""
FAULTS = 400
AMOUNT_S = 0.3


@dataclass(frozen=True)
class Accepted:
    """A message that a receiver has taken."""

    alert_id: str
    revision: int
    body: bytes


class RestartableReceiver:
    """A receiver over all its starts; a context manager that ends it.

    Parameters
    ----------
    path
        Of the protocol.
    log
        Keeps what it takes.
    secrets
        What it checks by.
    draw
        Chooses its faults; None for none.
    """

    def __init__(self, path: str, log: Path, secrets: tuple[str, ...], draw: random.Random | None) -> None:
        self._path = path
        self._log = log
        self._secrets = secrets
        self._draw = draw
        self._cuts = 0
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where it takes messages."""
        return self._process.url(self._path)

    @property
    def cuts(self) -> int:
        """How often it has taken a message whose sender could not know, but for what a kill has hidden."""
        return self._cuts + sum(kind in CUTTING for kind in self._process.state()["struck"])

    def start(self) -> None:
        """Start it, where it was before."""
        self._process = ReceiverProcess(
            "http", self._log, self._faults(), secrets=self._secrets, port=self._port
        )
        self._port = self._process.port

    def kill(self) -> None:
        """End it at once."""
        self._cuts = self.cuts
        self._process.kill()

    def accepted(self) -> list[Accepted]:
        """Return what it has taken, in order."""
        return [
            Accepted(alert_id, int(revision), taken.body)
            for taken in self._process.taken()
            for alert_id, _, revision in [taken.key.partition(".")]
        ]

    def _faults(self) -> list[ReceiverFault]:
        if self._draw is None:
            return []
        faults, at = [], 0
        for _ in range(FAULTS):
            at += self._draw.randint(1, 2 * FAULT_EVERY - 1)
            faults.append(ReceiverFault(self._draw.choice((*REFUSING, *CUTTING)), at, AMOUNT_S))
        return faults

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__()
