import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.child_process import start_child

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's promise is Linux's")


def wait_until_gone(pid: int, timeout_s: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            # Who adopts an orphan may be slow to collect it: a zombie is gone, too.
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def run(code: str, log_file: Path, **options: Any) -> int:
    return start_child([sys.executable, "-c", code], log_file=log_file, **options).wait(10)


def test_output_is_appended_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"
    assert run(code, log) == 3
    assert log.read_text() == "before\nout\nerr\n"


def test_environment_and_folder(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import os; print(os.environ['COLOUR'], os.getcwd())"
    run(code, log, env={**os.environ, "COLOUR": "green"}, cwd=tmp_path)
    assert log.read_text().split() == ["green", str(tmp_path.resolve())]


def test_pid_is_the_programs_and_its_session_is_its_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = start_child([sys.executable, "-c", "import os; print(os.getpid(), os.getsid(0))"], log_file=log)
    child.wait(10)
    assert log.read_text().split() == [str(child.pid), str(child.pid)]


def test_signals_are_as_usual(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert start_child(["sh", "-c", "kill -PIPE $$; echo ignored"], log_file=log).wait(10) == -signal.SIGPIPE


def test_missing_program(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        start_child(["no-such-program"], log_file=tmp_path / "log")


@linux_only
def test_child_dies_with_its_killed_parent(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from infra.embedded.child_process import start_child\n"
        "print(start_child(['sleep', '60'], log_file=Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child_pid = int(parent.stdout.readline())
    time.sleep(0.2)
    os.kill(child_pid, 0)
    parent.kill()
    parent.communicate()
    assert wait_until_gone(child_pid)


@linux_only
def test_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    children: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(
        target=lambda: children.append(start_child(["sleep", "60"], log_file=tmp_path / "log"))
    )
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert children[0].poll() is None
    children[0].kill()
    children[0].wait()
