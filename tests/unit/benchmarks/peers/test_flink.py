import os
from pathlib import Path

import pytest

from benchmarks.peers.base import Job, Purpose
from benchmarks.peers.flink.peer import newest_checkpoint, rendered


def job(folder: Path, purpose: Purpose = Purpose.LIVE) -> Job:
    return Job("127.0.0.1:9092", "the-group", "the-input", "the-output", 123, folder, purpose)


def checkpoint(folder: Path, name: str, at_s: float) -> Path:
    path = folder / "checkpoints" / name
    path.mkdir(parents=True)
    (path / "_metadata").touch()
    os.utime(path / "_metadata", (at_s, at_s))
    return path


@pytest.mark.parametrize("purpose", Purpose)
def test_statements_name_topics_group_and_threshold(tmp_path: Path, purpose: Purpose) -> None:
    statements = rendered(job(tmp_path, purpose))
    for part in ("'the-input'", "'the-output'", "'the-group'", "'127.0.0.1:9092'", "> 123;"):
        assert part in statements
    assert "$" not in statements


def test_first_start_resumes_nothing(tmp_path: Path) -> None:
    assert "state-recovery" not in rendered(job(tmp_path))


def test_restart_resumes_from_the_newest_checkpoint_that_is_complete(tmp_path: Path) -> None:
    checkpoint(tmp_path, "first-start/chk-9", at_s=1)
    newest = checkpoint(tmp_path, "second-start/chk-2", at_s=2)
    (tmp_path / "checkpoints" / "second-start" / "chk-3").mkdir()
    assert newest_checkpoint(tmp_path / "checkpoints") == newest
    assert f"'{newest.as_uri()}'" in rendered(job(tmp_path))
