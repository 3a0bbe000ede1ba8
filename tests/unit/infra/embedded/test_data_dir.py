import os
import tempfile
import time
from pathlib import Path

import pytest

from infra.embedded.data_dir import DataDir
from services.common.errors import TapewatchError


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_given_folder_is_made_and_kept(tmp_path: Path) -> None:
    data_dir = DataDir(tmp_path / "a" / "data")
    data_dir.close()
    assert (tmp_path / "a" / "data").is_dir()


def test_folder_is_for_one_stack_at_a_time(tmp_path: Path) -> None:
    first = DataDir(tmp_path)
    with pytest.raises(TapewatchError, match=f"process {os.getpid()}"):
        DataDir(tmp_path)
    first.close()
    DataDir(tmp_path).close()


def test_temporary_folder_is_removed() -> None:
    data_dir = DataDir(None)
    (data_dir.path / "file").touch()
    data_dir.close()
    assert not data_dir.path.exists()


def test_temporary_folder_can_stay_for_its_logs() -> None:
    data_dir = DataDir(None)
    data_dir.keep_for_now()
    data_dir.close()
    assert data_dir.path.exists()


def test_abandoned_temporary_folders_go_with_the_next_start_of_the_same_kind() -> None:
    abandoned, running = DataDir(None), DataDir(None)
    abandoned.keep_for_now()
    abandoned.close()
    an_hour_ago = time.time() - 3600
    for folder in (abandoned.path, running.path):
        os.utime(folder / "stack.lock", (an_hour_ago, an_hour_ago))
    DataDir(None, "tapewatch-other-").close()
    assert abandoned.path.exists()
    DataDir(None).close()
    assert not abandoned.path.exists()
    assert running.path.exists()
    running.close()


def test_unusable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TapewatchError, match="cannot be used"):
        DataDir(tmp_path / "file")


def test_comma_would_mean_two_folders_to_kafka(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="comma"):
        DataDir(tmp_path / "a,b")
