import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.process.instance import claim_instance

HOST = socket.gethostname()
CLAIM = """
import subprocess, sys
from services.common.process.instance import claim_instance
from services.common.config.settings import Settings
print(claim_instance(sys.argv[1], Settings()), flush=True)
if sys.argv[2:]:
    print(subprocess.Popen(sys.argv[2:]).pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Separate the tests' claims from those of services that run on this machine."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("TAPEWATCH_INSTANCE", raising=False)
    return tmp_path


@contextmanager
def process(service: str, *child: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a process that claims a name and optionally starts a child; return the name."""
    with subprocess.Popen(
        [sys.executable, "-c", CLAIM, service, *child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        try:
            yield running.stdout.readline().strip(), running
        finally:
            running.kill()


def test_processes_of_one_service_have_different_names() -> None:
    with process("detector") as (first, _), process("detector") as (second, _):
        assert (first, second) == (f"{HOST}-1", f"{HOST}-2")


def test_each_service_counts_for_itself() -> None:
    with process("detector") as (detector, _), process("indexer") as (indexer, _):
        assert (detector, indexer) == (f"{HOST}-1", f"{HOST}-1")


def test_who_restarts_after_a_kill_gets_the_old_name() -> None:
    with process("detector") as (_, first), process("detector") as (second_name, _):
        first.send_signal(signal.SIGKILL)
        first.wait()
        with process("detector") as (restarted_name, _):
            assert (second_name, restarted_name) == (f"{HOST}-2", f"{HOST}-1")


def test_a_child_that_outlives_its_holder_does_not_keep_the_name() -> None:
    with process("detector", "sleep", "60") as (name, holder):
        assert name == f"{HOST}-1"
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            holder.kill()
            holder.wait()
            assert claim_instance("detector", Settings()) == name
        finally:
            os.kill(child, signal.SIGKILL)


def test_two_claims_of_one_process_differ() -> None:
    names = [claim_instance("detector", Settings()) for _ in range(3)]
    assert names == [f"{HOST}-1", f"{HOST}-2", f"{HOST}-3"]


def test_a_given_name_is_taken_as_it_is(temporary_folder: Path) -> None:
    assert claim_instance("detector", Settings(instance="a")) == "a"
    assert list(temporary_folder.iterdir()) == []


def test_the_folder_belongs_to_the_user_only(temporary_folder: Path) -> None:
    claim_instance("detector", Settings())
    (folder,) = temporary_folder.iterdir()
    assert folder.name == f"tapewatch-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_folder_is_locked_against_clearing_away(temporary_folder: Path) -> None:
    with process("detector"):
        folder = os.open(temporary_folder / f"tapewatch-{os.getuid()}", os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(folder)


def test_a_folder_of_somebody_else_is_rejected(
    temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = os.getuid() + 1
    (temporary_folder / f"tapewatch-{somebody}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: somebody)
    with pytest.raises(TapewatchError, match="is not a folder of this user") as caught:
        claim_instance("detector", Settings())
    assert "TAPEWATCH_INSTANCE" in caught.value.hint


def test_a_link_in_the_folders_place_is_rejected(temporary_folder: Path) -> None:
    (temporary_folder / "elsewhere").mkdir()
    (temporary_folder / f"tapewatch-{os.getuid()}").symlink_to("elsewhere")
    with pytest.raises(TapewatchError, match="is not a folder of this user"):
        claim_instance("detector", Settings())


def test_without_a_place_for_claims_names_are_random_and_that_is_logged(
    temporary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary_folder / "missing"))
    with capture_logs() as logs:
        names = {claim_instance("detector", Settings()) for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith(f"{HOST}-") and len(name) == len(HOST) + 9 for name in names)
    assert {line["name"] for line in logs} == names
    assert {line["log_level"] for line in logs} == {"warning"}
