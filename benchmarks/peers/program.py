"""An engine that runs: its processes, what they take of the machine, and their end."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from infra.embedded.child_process import start_child

SAMPLE_S = 0.1
STOP_TIMEOUT_S = 20.0


class Program:
    """A program with all processes that it starts.

    Parameters
    ----------
    arguments, env
        The program with its arguments, and its environment.
    log_file
        File its output is appended to.
    cwd
        Its working folder.

    Attributes
    ----------
    started_s
        When it was started, by `time.perf_counter`.
    peak_bytes
        Most resident memory that its processes had together, seen every `SAMPLE_S`.
    processor_s
        Processor time of its processes so far, as last seen.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], log_file: Path, cwd: Path) -> None:
        self.started_s = time.perf_counter()
        self.log_file = log_file
        self._process = start_child(arguments, log_file=log_file, env=env, cwd=cwd)
        self._seconds: dict[int, float] = {}
        self.peak_bytes = 0
        self._is_over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="program-sampler", daemon=True)
        self._sampler.start()

    @property
    def processor_s(self) -> float:
        """Processor time so far, in seconds."""
        return sum(self._seconds.copy().values())

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end, as production does (SIGTERM); kill what has not ended after `STOP_TIMEOUT_S`."""
        family = self._family()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        self._end(family)

    def kill(self) -> None:
        """Kill all of its processes at once (SIGKILL)."""
        self._end(self._family())

    def _end(self, family: Sequence[psutil.Process]) -> None:
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.kill()
        self._process.wait()
        self._is_over.set()
        self._sampler.join()

    def _family(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            return [process, *process.children(recursive=True)]
        return []

    def _sample(self) -> None:
        while not self._is_over.wait(SAMPLE_S):
            resident_bytes = 0
            for process in self._family():
                with contextlib.suppress(psutil.Error):
                    with process.oneshot():
                        times = process.cpu_times()
                        resident_bytes += process.memory_info().rss
                    self._seconds[process.pid] = times.user + times.system
            self.peak_bytes = max(self.peak_bytes, resident_bytes)
