"""A server as a child process: starts it, waits until it is ready, checks on it and stops it."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.embedded.child_process import start_child
from services.common.errors import TapewatchError

STOP_TIMEOUT_S = 20.0
_POLL_PAUSE_S = 0.1
_TAIL_LINES = 12
_TAIL_BYTES = 64_000
_LOG_KEPT_BYTES = 32_000_000


class Server(ABC):
    """One server on one data folder; it can be started again however it ended.

    Parameters
    ----------
    name
        Its name in messages.
    log_file
        File its output is appended to.
    start_timeout_s
        How long a start may take until the server is ready.
    """

    def __init__(self, name: str, log_file: Path, start_timeout_s: float) -> None:
        self.name = name
        self.log_file = log_file
        self.start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start_bytes = 0
        self._is_up = False

    @property
    def pid(self) -> int | None:
        """The running server's process id; None before a start and after a stop or kill."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server, and return when it is ready.

        Raises
        ------
        TapewatchError
            If its port is taken, it exits, or it is not ready in time.
        """
        self.launch()
        await_ready([self])

    def launch(self) -> None:
        """Start the server's process without waiting until it is ready."""
        if self._process and self._process.poll() is None:
            raise RuntimeError(f"{self.name} is already running")
        self._is_up = False
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._log_start_bytes = _shorten(self.log_file)
        command = self.prepare()
        self._process = start_child(command, log_file=self.log_file)

    @abstractmethod
    def prepare(self) -> list[str]:
        """Create the files that the server needs to start, and return its command."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Ask the server, with a short timeout, whether it is fully operational."""

    def check(self) -> None:
        """Fail if the server has exited without being stopped.

        Raises
        ------
        TapewatchError
            If it has exited; quotes the server's last log lines.
        """
        code = self._process.poll() if self._process else None
        if code is not None:
            hint = "Fix the error in its log, and start again."
            if code == -signal.SIGKILL:
                hint = "If nobody killed it, memory ran out: close other programs, and start again."
            raise TapewatchError(
                f"{self.name} {_how_it_ended(code)} while {'running' if self._is_up else 'starting'}. "
                f"{self._last_words()}",
                hint,
            )

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Shut the server down cleanly; kill it if that takes longer than `timeout_s`."""
        stop_all([self], timeout_s)

    def terminate(self) -> None:
        """Ask the server to shut down, without waiting."""
        if self._process:
            self._process.terminate()

    def kill(self) -> None:
        """Kill the server immediately, as in a crash."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wait_until_ended(self, timeout_s: float) -> None:
        """Wait until a terminated server has exited; kill it after `timeout_s`."""
        if self._process:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def poll_ready(self) -> bool:
        """Tell whether the server is ready; fail if it has exited."""
        self.check()
        self._is_up = self.is_ready()
        return self._is_up

    def timeout_error(self) -> TapewatchError:
        """Return the error for a start that took too long."""
        return TapewatchError(
            f"{self.name} was not ready within {self.start_timeout_s:.0f} s. {self._last_words()}",
            "Fix the error in its log; if the machine was only busy, start again.",
        )

    def _last_words(self) -> str:
        lines = _last_lines(self.log_file, self._log_start_bytes)
        if not lines:
            return f"Its log, {self.log_file}, is empty."
        quoted = "\n".join(f"    {line}" for line in lines)
        return f"The last lines of its log, {self.log_file}:\n{quoted}\n"


def await_ready(servers: Sequence[Server], on_ready: Callable[[Server], None] = lambda _: None) -> None:
    """Wait until each of the launched servers is ready.

    Parameters
    ----------
    servers
        Servers that start at the same time; each may take up to its `start_timeout_s`.
    on_ready
        Called for each server as soon as it is ready.

    Raises
    ------
    TapewatchError
        If one exits or is not ready in time.
    """
    begin = time.monotonic()
    waiting = list(servers)
    while waiting:
        for server in list(waiting):
            if server.poll_ready():
                waiting.remove(server)
                on_ready(server)
            elif time.monotonic() - begin > server.start_timeout_s:
                raise server.timeout_error()
        if waiting:
            time.sleep(_POLL_PAUSE_S)


def stop_all(servers: Sequence[Server], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Stop servers at the same time; kill those that have not exited after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    for server in servers:
        server.terminate()
    for server in servers:
        server.wait_until_ended(max(0.0, deadline - time.monotonic()))


def _how_it_ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _shorten(log_file: Path) -> int:
    """Rotate the log if it has grown large; return the size of the current log in bytes."""
    size_bytes = log_file.stat().st_size if log_file.exists() else 0
    if size_bytes <= _LOG_KEPT_BYTES:
        return size_bytes
    log_file.replace(log_file.with_name(f"{log_file.name}.old"))
    return 0


def _last_lines(log_file: Path, start_bytes: int) -> list[str]:
    """Return the last lines since a start, without Java's stack frames, which would bury the messages."""
    if not log_file.exists():
        return []
    with log_file.open("rb") as log:
        log.seek(max(start_bytes, log_file.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(("\tat ", "\t... "))][
        -_TAIL_LINES:
    ]
