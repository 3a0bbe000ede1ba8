import os
import sys
import time
from pathlib import Path

import psutil

from benchmarks.peers.program import Program

WITH_A_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
while True: pass
"""


def started(tmp_path: Path) -> tuple[Program, psutil.Process]:
    log = tmp_path / "log"
    program = Program([sys.executable, "-c", WITH_A_CHILD], os.environ, log, tmp_path)
    deadline_s = time.monotonic() + 20
    while not (log.exists() and log.read_text().strip()) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return program, psutil.Process(int(log.read_text()))


def test_kill_ends_the_program_and_what_it_started(tmp_path: Path) -> None:
    program, child = started(tmp_path)
    program.kill()
    assert not program.is_running
    _, alive = psutil.wait_procs([child], timeout=10)  # the signal is sent; the process ends a moment later
    assert all(one.status() == psutil.STATUS_ZOMBIE for one in alive)


def test_processor_time_and_memory_are_seen(tmp_path: Path) -> None:
    program, _ = started(tmp_path)
    deadline_s = time.monotonic() + 20
    while program.processor_s < 0.2 and time.monotonic() < deadline_s:
        time.sleep(0.05)
    program.stop()
    assert program.processor_s >= 0.2
    assert program.peak_bytes > 2 * 5_000_000  # two Pythons
