import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded import server as server_module
from infra.embedded.server import Server, await_ready
from services.common.errors import TapewatchError

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"


class ScriptServer(Server):
    """A server that is a Python script, ready as soon as its log contains the word."""

    def __init__(self, code: str, log_file: Path, start_timeout_s: float = 60.0) -> None:
        super().__init__("Script", log_file, start_timeout_s)
        self.code = code

    def prepare(self) -> list[str]:
        return [sys.executable, "-u", "-c", self.code]

    def is_ready(self) -> bool:
        return self.log_file.read_text().endswith("ready\n")


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "script.log"


@pytest.fixture
def running(log_file: Path) -> Iterator[ScriptServer]:
    server = ScriptServer("import time; print('ready'); time.sleep(60)", log_file)
    server.start()
    yield server
    server.kill()


def test_start_returns_when_ready_and_stop_ends_it(running: ScriptServer) -> None:
    assert running.pid
    running.check()
    with pytest.raises(RuntimeError, match="already running"):
        running.start()
    running.stop()
    assert running.pid is None
    running.check()


def test_it_can_be_started_again_after_a_kill(running: ScriptServer) -> None:
    before = running.pid
    running.kill()
    running.check()
    running.start()
    assert running.pid not in (before, None)


def test_end_while_starting_shows_the_last_lines_without_stack_frames(log_file: Path) -> None:
    log_file.parent.mkdir()
    log_file.write_text("from an earlier start\n")
    code = r"print('Exception: no luck\n\tat java.Frame\n\t... 9 more'); raise SystemExit(7)"
    server = ScriptServer(code, log_file)
    with pytest.raises(TapewatchError, match="Script ended with exit code 7 while starting") as caught:
        server.start()
    assert "no luck" in caught.value.cause
    assert str(log_file) in caught.value.cause
    assert "Frame" not in caught.value.cause
    assert "more" not in caught.value.cause
    assert "earlier" not in caught.value.cause


def test_end_while_running_is_found(running: ScriptServer) -> None:
    process = running._process
    assert process
    process.kill()
    process.wait()
    with pytest.raises(TapewatchError, match="Script was killed by SIGKILL while running") as caught:
        running.check()
    assert "memory" in caught.value.hint


def test_slow_start_times_out(log_file: Path) -> None:
    server = ScriptServer("import time; print('busy'); time.sleep(60)", log_file, start_timeout_s=0.0)
    server.launch()
    while "busy" not in log_file.read_text():
        server.check()
        time.sleep(0.01)
    with pytest.raises(TapewatchError, match="not ready within 0 s") as caught:
        await_ready([server])
    server.kill()
    assert "busy" in caught.value.cause


def test_what_does_not_stop_is_killed(log_file: Path) -> None:
    server = ScriptServer(STUBBORN + "import time; print('ready'); time.sleep(60)", log_file)
    server.start()
    process = server._process
    assert process
    server.stop(timeout_s=0.3)
    assert process.returncode == -signal.SIGKILL
    assert server.pid is None


def test_each_server_is_reported_as_soon_as_it_is_ready(tmp_path: Path) -> None:
    other_is_ready = tmp_path / "other-is-ready"
    waits = f"import os, time\nwhile not os.path.exists({str(other_is_ready)!r}): time.sleep(0.01)\n"
    slow = ScriptServer(waits + "print('ready'); time.sleep(60)", tmp_path / "slow")
    fast = ScriptServer("import time; print('ready'); time.sleep(60)", tmp_path / "fast")
    ready: list[Server] = []

    def note(server: Server) -> None:
        ready.append(server)
        other_is_ready.touch()

    for server in (slow, fast):
        server.launch()
    await_ready([slow, fast], note)
    assert ready == [fast, slow]
    for server in (slow, fast):
        server.kill()


def test_large_log_is_set_aside(running: ScriptServer, monkeypatch: pytest.MonkeyPatch) -> None:
    running.stop()
    monkeypatch.setattr(server_module, "_LOG_KEPT_BYTES", 3)
    running.start()
    assert running.log_file.read_text() == "ready\n"
    assert running.log_file.with_name("script.log.old").read_text() == "ready\n"


def test_signal_names(log_file: Path) -> None:
    server = ScriptServer("import os; os.kill(os.getpid(), 15)", log_file)
    with pytest.raises(TapewatchError, match=signal.SIGTERM.name):
        server.start()
