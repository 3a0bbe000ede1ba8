import errno
import os
from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done


def test_a_file_is_replaced_only_when_done(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with replaced_when_done(path) as unfinished:
        unfinished.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"


def test_a_failure_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def interrupted() -> None:
        with replaced_when_done(path) as unfinished:
            unfinished.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert path.read_text() == "old"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    def write_on_a_full_disk() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        pytest.raises(TapewatchError, match="cannot be written: No space left"),
        replaced_when_done(tmp_path / "a"),
    ):
        write_on_a_full_disk()


def test_another_files_error_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replaced_when_done(tmp_path / "a"):
        (tmp_path / "other").read_text()
