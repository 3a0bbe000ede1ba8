"""A stand-in's process, as tests start it."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

from tests.standins.faults import Fault
from tests.standins.tape import TapeConfig


class StandInProcess:
    """A running stand-in; a context manager that ends it.

    Parameters
    ----------
    module
        Its module in `tests.standins`.
    tape
        What its tape is like.
    faults
        What it does wrong.

    Attributes
    ----------
    port
        Its port on 127.0.0.1.
    """

    def __init__(self, module: str, tape: TapeConfig, faults: Sequence[Fault] = ()) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", f"tests.standins.{module}"),
                *("--tape", json.dumps(asdict(tape)), "--faults", json.dumps([asdict(f) for f in faults])),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        opened = json.loads(line) if line else {"port": 0}
        self.port = int(opened["port"])
        self._url = str(opened.get("url", f"ws://127.0.0.1:{self.port}"))

    @property
    def urls(self) -> tuple[str, ...]:
        """The options of `tapewatch feed` that lead there."""
        return ("--url", self._url, "--rest-url", f"http://127.0.0.1:{self.port}")

    def ids(self) -> dict[str, int]:
        """Return the tape's numbers by `trade_id`; empty where the number is in it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_ids", timeout=30) as answer:
            ids: dict[str, int] = json.load(answer)
            return ids

    def state(self) -> dict[str, Any]:
        """Return what the tape has and what has struck."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_state", timeout=10) as answer:
            state: dict[str, Any] = json.load(answer)
            return state

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
