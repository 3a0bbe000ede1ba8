"""A receiver's process, as tests start, kill and start it again."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

from tests.standins.receivers.faults import ReceiverFault
from tests.standins.receivers.log import Taken, read_log


class ReceiverProcess:
    """A running receiver; a context manager that ends it.

    Parameters
    ----------
    module
        Its module here.
    log
        The file that keeps what it takes; one that is there is continued.
    faults
        What it does wrong.
    secrets
        What it checks by.
    port
        Its port on 127.0.0.1; 0 for a free one.
    arguments
        Further ones.

    Attributes
    ----------
    port
        Its port on 127.0.0.1.
    """

    def __init__(
        self,
        module: Literal["http", "smtp"],
        log: Path,
        faults: Sequence[ReceiverFault] = (),
        *,
        secrets: Sequence[str] = (),
        port: int = 0,
        arguments: Sequence[str] = (),
    ) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", f"tests.standins.receivers.{module}"),
                *("--log", str(log), "--faults", json.dumps([asdict(fault) for fault in faults])),
                *("--secrets", json.dumps(list(secrets)), "--port", str(port), *arguments),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the receiver has not started"
        self.port = int(json.loads(line)["port"])

    def url(self, path: str, scheme: str = "http") -> str:
        """Return where it takes a protocol, by the protocol's path."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def taken(self) -> list[Taken]:
        """Return what it has taken, in order."""
        return read_log(self._log)

    def state(self) -> dict[str, Any]:
        """Return what came, of a receiver by HTTP."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_state", timeout=10) as answer:
            state: dict[str, Any] = json.load(answer)
            return state

    def reset(self, faults: Sequence[ReceiverFault] = (), secrets: Sequence[str] = ()) -> None:
        """Let one by HTTP be as one that has just been started."""
        given = json.dumps({"faults": [asdict(fault) for fault in faults], "secrets": list(secrets)})
        address = f"http://127.0.0.1:{self.port}/_reset"
        urllib.request.urlopen(address, given.encode(), timeout=10).close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
