"""A service as a child process that can be killed, paused and started again, each start with its own log."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from infra.embedded.child_process import start_child
from infra.embedded.stack import EmbeddedStack

PROJECT = Path(__file__).parents[2]
TAIL_LINES = 25
CHECKPOINT_TRADES = 1_000
"""The minimum that the settings allow: each partition with trades is saved many times in a short day, so a
detector that comes back resumes from its checkpoints; with the usual 100,000 it would replay everything."""

STOPPED_WITHIN_S = 2.0
TRACEBACK_WITHIN_S = 2.0


class Service:
    """One service, over all its starts.

    Parameters
    ----------
    name
        Its instance name, and its logs'.
    folder
        Gets the logs, `<name>-<start>.log`.
    stack
        What it works on.
    env
        Further variables.
    """

    def __init__(
        self, name: str, folder: Path, stack: EmbeddedStack, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.starts = 0
        self.started_s = 0.0
        """When it was started last, by the monotonic clock."""
        self._folder = folder
        self._env = os.environ | {
            "TAPEWATCH_KAFKA": stack.kafka_bootstrap,
            "TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url,
            "TAPEWATCH_INSTANCE": name,
            "TAPEWATCH_CHECKPOINT_TRADES": str(CHECKPOINT_TRADES),
            "POLARS_MAX_THREADS": "1",
            "PYTHONFAULTHANDLER": "1",  # tells in the log where a service hung that did not end in time
            **(env or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        """Of the last start."""
        return self._folder / f"{self.name}-{self.starts:02}.log"

    @property
    def pid(self) -> int | None:
        """Of the last start; None before it."""
        return self._process.pid if self._process else None

    @property
    def code(self) -> int | None:
        """Exit code of the last start; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, *arguments: str) -> None:
        """Start it; a previous process may still run, which this object then no longer manages."""
        self.starts += 1
        self.started_s = time.monotonic()
        command = [sys.executable, "-m", "cli.main", *arguments]
        self._process = start_child(command, log_file=self.log_file, env=self._env, cwd=PROJECT)

    def release(self) -> "Zombie":
        """Hand over the running process, so that another can be started under its name."""
        assert self._process is not None
        zombie = Zombie(self._process, self.log_file)
        self._process = None
        return zombie

    def kill(self) -> int | None:
        """SIGKILL it; return its exit code, -9 if that ended it."""
        if self._process is None:
            return None
        self._process.kill()
        return self._process.wait()

    def pause(self) -> str:
        """SIGSTOP it; return the kernel's state of it, T if stopped."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        deadline_s = time.monotonic() + STOPPED_WITHIN_S
        while (state := _state(self._process.pid)) != "T" and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return state

    def resume(self) -> None:
        """SIGCONT it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM it."""
        assert self._process is not None
        self._process.terminate()

    def wait(self, timeout_s: float) -> int | None:
        """Wait until it exits; return its exit code, None if it had to be killed after `timeout_s`."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)
        try:
            self._process.wait(TRACEBACK_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
        return None

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the entries of this name in the log of the last start."""
        return [entry for entry in log_entries(self.log_file) if entry.get("event") == name]


class Zombie:
    """A process whose name another one has taken.

    Parameters
    ----------
    process
        Paused.
    log_file
        Its log.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log_file: Path) -> None:
        self.log_file = log_file
        self._process = process

    @property
    def code(self) -> int | None:
        """Exit code; None while it runs."""
        return self._process.poll()

    def resume(self) -> None:
        """SIGCONT it."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL it."""
        self._process.kill()
        self._process.wait()


def log_entries(log_file: Path) -> Iterator[dict[str, Any]]:
    """Yield a log's entries, without other lines, such as one cut off by a kill."""
    if not log_file.exists():
        return
    for line in log_file.read_bytes().splitlines():
        if line.startswith(b"{"):
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                continue


def log_tail(log_file: Path) -> str:
    """Return a log's last lines."""
    lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
    return "\n".join(lines[-TAIL_LINES:])


def _state(pid: int) -> str:
    """Return a process's state letter; its command stands before it in parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
