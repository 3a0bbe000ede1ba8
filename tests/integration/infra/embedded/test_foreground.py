"""`tapewatch stack` as a process: how it ends, and what it leaves behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.ports import free_port
from services.common.elastic.client import Elasticsearch

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc"),
]

START_TIMEOUT_S = 120
RUN = (
    "import sys; from pathlib import Path; from infra.embedded.foreground import run_stack\n"
    "folder, *ports = sys.argv[1:]\n"
    "sys.exit(run_stack(Path(folder) if folder else None, *map(int, ports)))"
)


class Foreground:
    """A running `run_stack`, what it has printed, and its servers' processes."""

    def __init__(self, data_dir: Path | None, output: Path, kafka_port: int, elasticsearch_port: int) -> None:
        self.output = output
        self.url = f"http://127.0.0.1:{elasticsearch_port}"
        arguments = [str(data_dir or ""), str(kafka_port), str(elasticsearch_port)]
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", RUN, *arguments],
                stdout=file,
                stderr=file,
                env={**os.environ, "TMPDIR": str(output.parent)},
            )
        self.children: list[int] = []

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while "TAPEWATCH_ELASTICSEARCH=" not in self.printed():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.05)
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        self.children = [int(pid) for task in tasks for pid in task.read_text().split()]
        assert len(self.children) == 2

    def printed(self) -> str:
        return self.output.read_text()

    def wait_until_children_are_gone(self, timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while any(is_running(pid) for pid in self.children):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextlib.contextmanager
def foreground(data_dir: Path | None, output: Path) -> Iterator[Foreground]:
    """Run a stack on free ports until it is ready; kill it if the test fails."""
    running = Foreground(data_dir, output, free_port(), free_port())
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.process.kill()
        running.process.wait()


@pytest.mark.slow
def test_data_survives_sigterm_then_a_killed_parent_then_ctrl_c(tmp_path: Path) -> None:
    data_dir, output = tmp_path / "data", tmp_path / "output"

    with foreground(data_dir, output) as first:
        assert "export TAPEWATCH_KAFKA=127.0.0.1:" in first.printed()
        assert str(data_dir / "logs") in first.printed()
        Elasticsearch(first.url).index(index="kept", id="1", document={"a": 1})
        began = time.monotonic()
        first.process.terminate()
        assert first.process.wait(20) == 0
        assert time.monotonic() - began < 20
        first.wait_until_children_are_gone(0.1)
        assert "Stopped." in first.printed()

    with foreground(data_dir, output) as second:
        assert Elasticsearch(second.url).get(index="kept", id="1")["_source"] == {"a": 1}
        Elasticsearch(second.url).index(index="kept", id="2", document={"a": 2})
        second.process.kill()
        second.process.wait()
        second.wait_until_children_are_gone()

    with foreground(data_dir, output) as third:
        assert Elasticsearch(third.url).get(index="kept", id="2")["_source"] == {"a": 2}
        third.process.send_signal(signal.SIGINT)
        assert third.process.wait(20) == 0
        third.wait_until_children_are_gone(0.1)


@pytest.mark.slow
def test_a_server_that_dies_ends_the_stack_and_is_named(tmp_path: Path) -> None:
    with foreground(None, tmp_path / "output") as running:
        for pid in running.children:
            if "kafka.Kafka" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)
        assert running.process.wait(20) == 1
        running.wait_until_children_are_gone(0.1)
        printed = running.printed()
    assert "Kafka was killed by SIGKILL while running" in printed
    assert "kafka.log" in printed
    assert "INFO" in printed
